// What the replicas of a pool share about notifications: which of them reports the pool's troubles through a channel,
// and what it has reported. Replicas share a channel if they have the same settings for it. Desktop notifications are
// never shared.

import { createHash } from "node:crypto";
import { z } from "zod";
import type { Sharing } from "../cluster/sharing.ts";
import type { SignalKind } from "../cluster/signals.ts";
import type { Reported } from "../core/notify/pending.ts";
import type { Clock } from "../deps.ts";
import type { Config } from "../state/settings.ts";
import type { ChannelName } from "./channel.ts";

export interface SharedReports {
  /**
   * Resolves to true if this process reports the pool's troubles through the channel of `job` now. Always true without
   * a job, for a proxy that works alone, and for a replica that is cut off from the others. Never rejects.
   */
  isReporter(job: string | undefined): Promise<boolean>;
  /** Lets another replica report, because the channel failed here. */
  giveBack(job: string | undefined): void;
  /** Sends what was reported to the other replicas. */
  send(job: string | undefined, reported: Reported): void;
  /** From now on, `take` gets what the others have reported. It must not throw. */
  watch(take: (job: string, reported: Reported) => void): void;
  /** Keeps those of `jobs` that this process has. Call it every second. */
  keep(jobs: readonly string[]): void;
}

/** Much shorter than a lease, so the reporter stays the same while it runs. */
const KEEP_MS = 20_000;

/** The name of the job of reporting through a channel; undefined for a desktop. Equal settings give equal names. */
export function reportJob(
  name: ChannelName,
  { command, webhook, events, pool_below }: Config["notify"],
): string | undefined {
  if (name === "desktop") return undefined;
  const settings = [name === "command" ? command : webhook, [...events].sort(), pool_below];
  return `notify/${name}/${createHash("sha256").update(JSON.stringify(settings)).digest("hex")}`;
}

export function createSharedReports(
  { leases, signals }: Pick<Sharing, "leases" | "signals">,
  clock: Pick<Clock, "monotonic">,
): SharedReports {
  let keptMs = Number.NEGATIVE_INFINITY;
  return {
    isReporter: async (job) => job === undefined || (await leases.take([job], "shared")).has(job),
    giveBack: (job) => {
      if (job !== undefined) leases.giveBack(job);
    },
    send: (job, { troubles, lastSentMs }) => {
      if (job !== undefined)
        signals.put(REPORTED, job, { troubles: Object.fromEntries(troubles), lastSentMs });
    },
    watch: (take) =>
      signals.watch(REPORTED, ({ name, value: { troubles, lastSentMs } }) =>
        take(name, { troubles: new Map(Object.entries(troubles)), lastSentMs }),
      ),
    keep: (jobs) => {
      const nowMs = clock.monotonic();
      if (nowMs - keptMs < KEEP_MS) return;
      keptMs = nowMs;
      void leases.take(jobs.filter(leases.holds), "shared");
    },
  };
}

// --- internal ---

const DAY_MS = 24 * 3_600_000;

const ReportedTroubles = z.object({
  troubles: z.record(z.string(), z.object({ present: z.boolean(), atMs: z.number() })),
  lastSentMs: z.number(),
});

/** By job: what was last reported about the pool's troubles. */
const REPORTED: SignalKind<z.output<typeof ReportedTroubles>> = {
  kind: "notified",
  schema: ReportedTroubles,
  shift: ({ troubles, lastSentMs }, byMs) => ({
    troubles: Object.fromEntries(
      Object.entries(troubles).map(([key, one]) => [key, { ...one, atMs: one.atMs + byMs }]),
    ),
    lastSentMs: lastSentMs + byMs,
  }),
  lifetimeMs: 30 * DAY_MS,
  delayMs: 0,
};
