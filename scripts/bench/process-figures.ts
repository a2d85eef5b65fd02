// The CPU time and memory of a process, from /proc. Works on Linux only.

import { readFileSync } from "node:fs";

/** USER_HZ, which is 100 on every Linux platform that codexlb runs on. */
const TICKS_PER_SECOND = 100;

/** The CPU time of all threads of the process since its start, in seconds, to 10 ms. Throws if the process is gone. */
export function cpuSeconds(pid: number): number {
  // The name of the program, in parentheses, may contain spaces.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** The resident memory of the process in KiB. Throws if the process is gone. */
export function residentKib(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
}
