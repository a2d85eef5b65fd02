// Measures how a proxy copes with load: its longest response time for /healthz and its peak memory. A bare server on
// the same machine shows how much of that time is due to the machine.

import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface Vitals {
  readonly longestMs: number;
  /** The longest response time of the bare server in the same period. */
  readonly controlMs: number;
  /** The factor by which other processes slowed down the proxy: 1 on an idle machine. */
  readonly slowdown: number;
  readonly peakMiB: number;
}

/** Measures the proxy at `url` with the process ID `pid` while `run` runs, and prints the figures. */
export async function vitalsDuring(
  what: string,
  { url, pid }: { readonly url: string; readonly pid: number },
  run: () => Promise<void>,
): Promise<Vitals> {
  const pinger = Bun.spawn([process.execPath, join(import.meta.dir, "pinger.ts"), `${url}/healthz`], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const reader = pinger.stdout.getReader();
  // The first line says that the pinger has begun.
  await reader.read();
  const before = scheduleOf(pid);
  await run();
  const after = scheduleOf(pid);
  await pinger.stdin.end();
  const { value } = await reader.read();
  await pinger.exited;
  const { longestMs, controlMs } = JSON.parse(new TextDecoder().decode(value)) as Pick<
    Vitals,
    "longestMs" | "controlMs"
  >;
  const ran = after.ran - before.ran;
  const slowdown = ran > 0 ? 1 + (after.waited - before.waited) / ran : 1;
  const peakMiB = memoryOf(pid).peakMiB;
  console.log(
    `  ${what}: /healthz at most ${longestMs.toFixed(0)} ms (bare server ${controlMs.toFixed(0)} ms, slowed down ${slowdown.toFixed(1)} times), peak ${peakMiB.toFixed(0)} MiB`,
  );
  return { longestMs, controlMs, slowdown, peakMiB };
}

/** How long the main thread of a process has run on a processor, and how long it has waited for one. ns. */
function scheduleOf(pid: number): { readonly ran: number; readonly waited: number } {
  const [ran = 0, waited = 0] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, "utf8")
    .split(" ")
    .map(Number);
  return { ran, waited };
}

/** Resident memory of a process, current and peak. */
export function memoryOf(pid: number): { readonly nowMiB: number; readonly peakMiB: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const read = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) / 1024;
  return { nowMiB: read("VmRSS"), peakMiB: read("VmHWM") };
}
