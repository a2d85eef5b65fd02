// Whose the keys of the terminal are.

import { closeSync, openSync, readFileSync } from "node:fs";

/** `foreground`, `background` of a terminal, or `none`: there is no terminal, or it cannot be told. */
export function placeInTerminal(): "foreground" | "background" | "none" {
  const [own, foreground] = processGroups();
  if (own === undefined || foreground === undefined || foreground <= 0) return "none";
  return own === foreground ? "foreground" : "background";
}

/**
 * Whether a SIGINT or SIGQUIT may come from a key, which then reached everybody in the foreground: not in the
 * background, and not where a program has the keys for itself.
 */
export function mayBeKey(): boolean {
  return placeInTerminal() === "foreground" && !hasKeysForItself();
}

// --- internal ---

/** Whether the terminal is set to make no signals of keys (`-isig`). */
function hasKeysForItself(): boolean {
  let terminal: number | undefined;
  try {
    terminal = openSync("/dev/tty", "r");
    const { stdout } = Bun.spawnSync(["stty", "-a"], { stdin: terminal, stderr: "ignore" });
    return /(?:^|\s)-isig\b/.test(stdout.toString());
  } catch {
    return false; // there is no terminal, or no stty
  } finally {
    if (terminal !== undefined) closeSync(terminal);
  }
}

/** The process group of this process, and the one in the foreground of its terminal. */
function processGroups(): number[] {
  try {
    // proc_pid_stat(5). The name before it, in parentheses, may hold anything.
    const [, , group, , , foreground] =
      readFileSync("/proc/self/stat", "utf8").split(") ").at(-1)?.split(" ") ?? [];
    return [Number(group), Number(foreground)];
  } catch {
    // There is no such file on macOS, and always a ps.
    if (Bun.which("ps") === null) return [];
    const ran = Bun.spawnSync(["ps", "-o", "pgid=,tpgid=", "-p", String(process.pid)]);
    return (ran.stdout.toString().match(/-?\d+/g) ?? []).map(Number);
  }
}
