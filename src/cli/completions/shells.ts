// The shells with completions: their scripts, and how to install them.

import bash from "./codexlb.bash" with { type: "text" };
import fish from "./codexlb.fish" with { type: "text" };
import powershell from "./codexlb.ps1" with { type: "text" };
import zsh from "./codexlb.zsh" with { type: "text" };

/** A shell with completions. */
export interface Shell {
  readonly name: string;
  /** How to load the script in every new shell. */
  readonly install: string;
  readonly script: string;
}

export const SHELLS: readonly Shell[] = [
  shell("bash", `add to ~/.bashrc: ${loadingLine("bash")}`, bash),
  shell("zsh", `add to ~/.zshrc, after compinit: ${loadingLine("zsh")}`, zsh, "#compdef codexlb\n"),
  shell("fish", "run: codexlb completions fish > ~/.config/fish/completions/codexlb.fish", fish),
  shell(
    "powershell",
    "add to $PROFILE: codexlb completions powershell | Out-String | Invoke-Expression",
    powershell,
  ),
];

/** The line that loads the completions in a profile of bash or zsh. */
export function loadingLine(name: "bash" | "zsh"): string {
  return `eval "$(codexlb completions ${name})"`;
}

// --- internal ---

/** The shell with its script: `first`, which must be the first line, then the head, then `body`. */
function shell(name: string, install: string, body: string, first = ""): Shell {
  const head = `# Completions of codexlb for ${name}. To load them in every new shell, ${install}\n`;
  return {
    name,
    install,
    script: `${first}${head}# This script calls codexlb, which must be on the PATH.\n${body}`,
  };
}
