// Measures a proxy under load: requests per second, latency and CPU time. Works on Linux only, because it reads the CPU
// time from /proc.

import { readFileSync } from "node:fs";

const CLOCK_TICKS_PER_SECOND = 100;

export interface Load {
  readonly name: string;
  readonly requests: number;
  readonly concurrency: number;
  /** One request against `url`; `worker` keeps sessions apart. */
  readonly once: (url: string, worker: number) => Promise<unknown>;
}

export interface Round {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuPer10k: number;
}

/** Sends the load to `url`, and measures its cost for the process `pid`. */
export async function measure(load: Load, url: string, requests: number, pid: number): Promise<Round> {
  const latencies: number[] = [];
  const cpuBefore = cpuSeconds(pid);
  const startedMs = performance.now();
  let left = requests;
  const worker = async (_: unknown, index: number) => {
    while (left-- > 0) {
      const beganMs = performance.now();
      await load.once(url, index);
      latencies.push(performance.now() - beganMs);
    }
  };
  await Promise.all(Array.from({ length: load.concurrency }, worker));
  const seconds = (performance.now() - startedMs) / 1000;
  latencies.sort((a, b) => a - b);
  const at = (share: number) =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
  return {
    perSecond: requests / seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    cpuPer10k: ((cpuSeconds(pid) - cpuBefore) / requests) * 10_000,
  };
}

export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
}

export function residentMiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
