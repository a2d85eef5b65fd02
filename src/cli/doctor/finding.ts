// The result of a check.

/** What a check found. */
export type Finding = {
  /** The name of the check: `config`, `account alice`. */
  readonly check: string;
  readonly status: "ok" | "warning" | "bad";
  readonly detail: string;
  /** What to do about it. */
  readonly remedy?: string;
  /** Fixes the problem; present only if that is safe. Throws the reason if it fails. */
  readonly fix?: () => void | Promise<void>;
};

/** A finding, and whether the problem was fixed. */
export interface CheckResult extends Omit<Finding, "fix"> {
  readonly fixed: boolean;
}

/** A finding without a problem. */
export function ok(check: string, detail: string): Finding {
  return { check, status: "ok", detail };
}
