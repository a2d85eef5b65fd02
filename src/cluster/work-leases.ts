// Which background jobs this process may do. A process that works alone does all of them; of the replicas of a pool,
// one does each job.

/**
 * What happens without the engine. `shared`: each replica does the job, but less often (`workers`). `exclusive`: only a
 * replica that still has the lease does it, because doing it twice would spend something.
 */
export type WorkKind = "shared" | "exclusive";

export interface WorkLeases {
  /**
   * Takes those leases of these jobs that no other replica has. Returns the jobs that this process may do now. A lease
   * lasts for a minute, so it is taken again before each time. Never throws.
   */
  take(jobs: readonly string[], kind: WorkKind): Promise<ReadonlySet<string>>;
  /** True if this process has taken the lease, and it has not ended. */
  holds(job: string): boolean;
  /** Lets another replica do the job, because it failed here. */
  giveBack(job: string): void;
  /** How many processes do `shared` jobs now: 1, or all replicas while the engine cannot be used. */
  workers(): number;
}

/** The jobs of a process that works alone. */
export const ALL_WORK: WorkLeases = {
  take: async (jobs) => new Set(jobs),
  holds: () => true,
  giveBack: () => {},
  workers: () => 1,
};
