// The leases that the engine grants to a replica.

import type { Clock } from "../deps.ts";
import { LEASE_MS } from "./lease-scripts.ts";
import type { WorkLeases } from "./work-leases.ts";

export interface EngineLeasesContext {
  readonly clock: Pick<Clock, "now" | "monotonic">;
  /**
   * Asks the engine for the leases of `jobs`, and returns for each whether this replica has it. Throws like the engine.
   */
  readonly lease: (jobs: readonly string[]) => Promise<readonly boolean[]>;
  /** Throws like the engine. */
  readonly release: (jobs: readonly string[]) => Promise<void>;
  /** True while the pool in the engine is known to be this replica's. */
  readonly isUsable: () => boolean;
  /** How many replicas this one knows, with itself. */
  readonly replicas: () => number;
}

export interface EngineLeases extends WorkLeases {
  /** Gives back all leases. Throws like the engine. */
  giveBackAll(): Promise<void>;
}

/** Since when this replica has a lease, on both clocks: one of them may stand still, or be set. */
interface HeldLease {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

export function engineLeases({
  clock,
  lease,
  release,
  isUsable,
  replicas,
}: EngineLeasesContext): EngineLeases {
  const held = new Map<string, HeldLease>();

  const now = (): HeldLease => ({ monotonicMs: clock.monotonic(), wallMs: clock.now() });

  const isHeld = (job: string): boolean => {
    const since = held.get(job);
    return since !== undefined && isWithin(since, now());
  };

  const asked = async (jobs: readonly string[]): Promise<void> => {
    // The lease begins later in the engine, so it ends there later as well.
    const since = now();
    const given = await lease(jobs);
    for (const [index, job] of jobs.entries())
      if (given[index] === true) held.set(job, since);
      else held.delete(job);
  };

  return {
    take: async (jobs, kind) => {
      if (jobs.length === 0) return NONE;
      const isAsked =
        isUsable() &&
        (await asked(jobs).then(
          () => true,
          () => false, // the comparison with the engine reports its failures
        ));
      return new Set(isAsked || kind === "exclusive" ? jobs.filter(isHeld) : jobs);
    },
    holds: isHeld,
    giveBack: (job) => {
      if (!held.delete(job) || !isUsable()) return;
      // Without the engine the lease ends by itself.
      release([job]).catch(() => {});
    },
    workers: () => (isUsable() ? 1 : replicas()),
    giveBackAll: async () => {
      const jobs = [...held.keys()];
      held.clear();
      if (jobs.length > 0) await release(jobs);
    },
  };
}

// --- internal ---

const NONE: ReadonlySet<string> = new Set();

function isWithin(since: HeldLease, now: HeldLease): boolean {
  const passedMs = now.wallMs - since.wallMs;
  return passedMs >= 0 && passedMs < LEASE_MS && now.monotonicMs - since.monotonicMs < LEASE_MS;
}
