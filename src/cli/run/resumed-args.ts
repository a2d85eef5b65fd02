// The arguments for Codex that continue the thread of an earlier `codex exec`, with the same flags.

/** What Codex is asked to do in the thread. */
const CONTINUE = "Continue where you stopped.";

/**
 * The arguments that continue `thread` of a run with `args`; undefined if the run cannot be continued: Codex saved no
 * thread, would begin another one, or an argument is unknown.
 */
export function resumedArgs(args: readonly string[], thread: string): string[] | undefined {
  const kept: string[] = [];
  const words: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const word = args[at] ?? "";
    // The rest is the prompt.
    if (word === "--") break;
    if (word === "-" || !word.startsWith("-")) {
      if (words.length === 0 && EXEC.has(word)) kept.push(word);
      words.push(word);
      continue;
    }
    const [name = word] = word.split("=");
    const values = !word.includes("=") && VALUES.has(name) ? 1 : 0;
    if (OF_THE_PROMPT.has(name)) {
      at += values;
      continue;
    }
    if (!VALUES.has(name) && !SWITCHES.has(name)) return undefined;
    kept.push(word, ...args.slice(at + 1, at + 1 + values));
    at += values;
  }
  const [command = "", sub = ""] = words;
  if (!EXEC.has(command) || OTHER_THREADS.has(sub)) return undefined;
  return [...kept, "resume", thread, CONTINUE];
}

// --- internal ---

const EXEC: ReadonlySet<string> = new Set(["exec", "e"]);
/** Commands below `exec` that continue no thread of their own. */
const OTHER_THREADS: ReadonlySet<string> = new Set(["review", "fork", "help"]);
/** Flags that belong to the first prompt, or that choose a thread. */
const OF_THE_PROMPT: ReadonlySet<string> = new Set(["-i", "--image", "--last", "--all"]);
/** Flags with a value. The others begin a thread that is not saved, or are unknown. */
const VALUES: ReadonlySet<string> = new Set([
  ...["-c", "--config", "--enable", "--disable", "-i", "--image", "-m", "--model", "-p", "--profile"],
  ...["-s", "--sandbox", "-C", "--cd", "--add-dir", "--thread-source", "--cyber-access-program"],
  ...["--output-schema", "--color", "-o", "--output-last-message", "--local-provider"],
]);
const SWITCHES: ReadonlySet<string> = new Set([
  ...["--oss", "--strict-config", "--approve-for-me", "--dangerously-bypass-approvals-and-sandbox"],
  ...["--dangerously-bypass-hook-trust", "--skip-git-repo-check", "--trust", "--ignore-user-config"],
  ...["--ignore-rules", "--json", "--full-auto", "--yolo", "--search"],
]);
