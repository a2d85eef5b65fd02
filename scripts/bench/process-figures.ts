// Reads the CPU time of a process from its CPU clock, and its memory from /proc. Works on Linux only.

import { dlopen, FFIType } from "bun:ffi";
import { readFileSync } from "node:fs";

/**
 * The CPU time of all threads of the process since its start, in seconds, to the nanosecond: `/proc/PID/stat` counts in
 * steps of 10 ms, which is 1.5 % of a round of row (l). Throws if the process is gone.
 */
export function cpuSeconds(pid: number): number {
  const time = new BigInt64Array(2);
  if (libc().symbols.clock_gettime(cpuClockOf(pid), time) !== 0)
    throw new Error(`reading the CPU time of process ${pid} failed: the process is gone`);
  const [seconds = 0n, nanoseconds = 0n] = time;
  return Number(seconds) + Number(nanoseconds) / 1e9;
}

/** The resident memory of the process in KiB. Throws if the process is gone. */
export function residentKib(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
}

// --- internal ---

/** The id of a process's CPU clock, computed like clock_getcpuclockid(3). */
const cpuClockOf = (pid: number): number => (~pid << 3) | CPUCLOCK_SCHED;
const CPUCLOCK_SCHED = 2;

let opened: ReturnType<typeof openLibc> | undefined;

/** Opened on first use, so that `make soak`, which reads only the memory, works without glibc. */
function libc(): ReturnType<typeof openLibc> {
  opened ??= openLibc();
  return opened;
}

const openLibc = () =>
  dlopen("libc.so.6", { clock_gettime: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 } });
