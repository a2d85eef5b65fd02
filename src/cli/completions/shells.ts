// The shells that there are completions for: their scripts, and how to install them.

import bash from "./codexlb.bash" with { type: "text" };
import fish from "./codexlb.fish" with { type: "text" };
import powershell from "./codexlb.ps1" with { type: "text" };
import zsh from "./codexlb.zsh" with { type: "text" };

export interface Shell {
  readonly name: string;
  /** What to do so that it completes in every new shell. */
  readonly install: string;
  readonly script: string;
}

export const SHELLS: readonly Shell[] = [
  shell("bash", 'put into ~/.bashrc: eval "$(codexlb completions bash)"', bash),
  shell(
    "zsh",
    'put into ~/.zshrc, behind compinit: eval "$(codexlb completions zsh)"',
    zsh,
    "#compdef codexlb\n",
  ),
  shell("fish", "run: codexlb completions fish > ~/.config/fish/completions/codexlb.fish", fish),
  shell(
    "powershell",
    "put into $PROFILE: codexlb completions powershell | Out-String | Invoke-Expression",
    powershell,
  ),
];

// --- internal ---

/** A script without its head; `first` must be its first line. */
function shell(name: string, install: string, body: string, first = ""): Shell {
  const head = `# Completions of codexlb for ${name}. To have them in every new shell, ${install}\n`;
  return {
    name,
    install,
    script: `${first}${head}# They ask codexlb itself, which has to be on the PATH.\n${body}`,
  };
}
