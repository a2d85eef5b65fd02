// Whose the keys of the terminal are.

import { readFileSync } from "node:fs";

/** `foreground`, `background` of a terminal, or `none`: there is no terminal, or it cannot be told. */
export function placeInTerminal(): "foreground" | "background" | "none" {
  const [own, foreground] = processGroups();
  if (own === undefined || foreground === undefined || foreground <= 0) return "none";
  return own === foreground ? "foreground" : "background";
}

// --- internal ---

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
