// Finds out whether this process is in the foreground of its terminal.

import { closeSync, openSync, readFileSync } from "node:fs";

/** Where this process is in its terminal. `none`: there is no terminal, or the system does not report it. */
export function placeInTerminal(): "foreground" | "background" | "none" {
  const [own, foreground] = processGroups();
  if (own === undefined || foreground === undefined || foreground <= 0) return "none";
  return own === foreground ? "foreground" : "background";
}

/**
 * True if a SIGINT or SIGQUIT may come from a key, which then reached all processes in the foreground. False in the
 * background, and if a program turned off signals for keys.
 */
export function mayBeKey(): boolean {
  return placeInTerminal() === "foreground" && !hasKeySignalsOff();
}

// --- internal ---

/** True if the terminal sends no signals for keys (`-isig`). */
function hasKeySignalsOff(): boolean {
  let terminal: number | undefined;
  try {
    terminal = openSync("/dev/tty", "r");
    const { stdout } = Bun.spawnSync(["stty", "-a"], { stdin: terminal, stderr: "ignore" });
    return /(?:^|\s)-isig\b/.test(stdout.toString());
  } catch {
    return false; // no terminal, or no stty
  } finally {
    if (terminal !== undefined) closeSync(terminal);
  }
}

/** The process group of this process, and the one in the foreground of its terminal. */
function processGroups(): number[] {
  try {
    // proc_pid_stat(5). The name before these fields, in parentheses, may contain anything.
    const [, , group, , , foreground] =
      readFileSync("/proc/self/stat", "utf8").split(") ").at(-1)?.split(" ") ?? [];
    return [Number(group), Number(foreground)];
  } catch {
    // macOS has no such file, but always a ps.
    if (Bun.which("ps") === null) return [];
    const ran = Bun.spawnSync(["ps", "-o", "pgid=,tpgid=", "-p", String(process.pid)]);
    return (ran.stdout.toString().match(/-?\d+/g) ?? []).map(Number);
  }
}
