// The step of `codexlb init` that sets up the completions of the user's shell.

import { appendFileSync, existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import type { Deps } from "../../deps.ts";
import { CodexlbError } from "../../errors.ts";
import { readTextIfPresent, unusable, writeFileAtomic } from "../../state/atomic-file.ts";
import { loadingLine, SHELLS } from "../completions/shells.ts";
import { CHANGED, NO, type Step, type StepState } from "./step.ts";

/** `executable`: the path of this program, whose package may have installed completions. */
export function completionsStep(env: Deps["env"], executable: string): Step {
  return {
    title: "Shell completions",
    detect: async () => {
      const target = targetOf(env);
      if (typeof target === "string") return notHere(target, "see: codexlb completions");
      const found = [target.path, ...packagedFiles(target.shell, executable)].find((path) =>
        loadsCompletions(path, target),
      );
      if (found !== undefined) return { kind: "done", detail: `${target.shell}: ${found}` };
      if (Bun.which("codexlb", { PATH: env.PATH ?? "" }) === null)
        return notHere("codexlb is not on the PATH, and the completions call it", onPath(executable));
      return {
        kind: "open",
        details: [target.change],
        offer: {
          question: `${target.edits ? "Edit" : "Write"} ${target.path}?`,
          choices: [
            {
              key: "y",
              label: "yes",
              apply: async () => {
                write(target);
                return CHANGED;
              },
            },
          ],
          decline: "no",
          enter: NO,
          preset: NO,
        },
      };
    },
  };
}

/** What to do so that the shell finds `executable`. */
export function onPath(executable: string): string {
  return `add ${dirname(executable)} to the PATH`;
}

// --- internal ---

/** The file that gets the completions of a shell. */
interface Target {
  readonly shell: "bash" | "zsh" | "fish";
  readonly path: string;
  /** True if the text is added to a file of the user; false if the file is the completion script. */
  readonly edits: boolean;
  readonly text: string;
  /** What will change, for the user. */
  readonly change: string;
}

function notHere(detail: string, next: string): StepState {
  return { kind: "unavailable", detail, next, isRequired: false };
}

/** The file for the shell in SHELL, or why there is none. */
function targetOf(env: Deps["env"]): Target | string {
  const home = env.HOME || homedir();
  const shell = basename(env.SHELL ?? "");
  switch (shell) {
    case "bash":
      return profile("bash", join(home, ".bashrc"), `${loadingLine("bash")}\n`);
    case "zsh":
      // Without a line for compinit, the completions of zsh do not exist.
      return profile(
        "zsh",
        join(env.ZDOTDIR || home, ".zshrc"),
        `(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }\n${loadingLine("zsh")}\n`,
      );
    case "fish": {
      const path = join(env.XDG_CONFIG_HOME || join(home, ".config"), "fish", "completions", "codexlb.fish");
      const text = SHELLS.find(({ name }) => name === "fish")?.script ?? "";
      return { shell, path, edits: false, text, change: `This writes the completion script to ${path}.` };
    }
    default:
      return shell === "" ? "SHELL is not set" : `there are no completions to set up for ${shell}`;
  }
}

function profile(shell: "bash" | "zsh", path: string, text: string): Target {
  const lines = text.trimEnd().split("\n");
  const what = lines.length === 1 ? "one line" : `${lines.length} lines`;
  return {
    shell,
    path,
    edits: true,
    text,
    change: `This adds ${what} to the end of ${path}: ${lines.join("; ")}`,
  };
}

/** Where packages and `make install` put the completion script, beside the executable in `bin`. */
function packagedFiles(shell: Target["shell"], executable: string): string[] {
  const share = join(dirname(dirname(executable)), "share");
  const files = {
    bash: join(share, "bash-completion", "completions", "codexlb"),
    // zsh reads this directory only for system-wide prefixes.
    zsh: join(share, "zsh", "site-functions", "_codexlb"),
    fish: join(share, "fish", "vendor_completions.d", "codexlb.fish"),
  };
  return shell === "zsh" && !SYSTEM_PREFIXES.has(dirname(share)) ? [] : [files[shell]];
}

const SYSTEM_PREFIXES: ReadonlySet<string> = new Set(["/usr", "/usr/local", "/opt/homebrew"]);

function loadsCompletions(path: string, target: Target): boolean {
  if (path !== target.path || !target.edits) return existsSync(path);
  const text = readTextIfPresent(path) ?? "";
  return new RegExp(`^[^#]*codexlb completions ${target.shell}`, "m").test(text);
}

/** Adds to the file through a link, so that the link of a dotfile manager stays. Throws `file_unusable`. */
function write({ path, edits, text }: Target): void {
  try {
    if (edits) {
      const before = readTextIfPresent(path) ?? "";
      appendFileSync(path, `${before === "" || before.endsWith("\n") ? "" : "\n"}${text}`);
      return;
    }
    mkdirSync(dirname(path), { recursive: true });
    writeFileAtomic(path, text);
  } catch (error) {
    throw error instanceof CodexlbError ? error : unusable(`writing ${path}`, error);
  }
}
