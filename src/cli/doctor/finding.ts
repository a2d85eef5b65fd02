// What an examination finds, one line a thing that was looked at.

export type Finding = {
  /** What was looked at: `config`, `account alice`. */
  readonly check: string;
  readonly status: "ok" | "warning" | "bad";
  readonly detail: string;
  /** What to do about it. */
  readonly remedy?: string;
  /** Mends it, when that is safe. What it throws is why it could not. */
  readonly fix?: () => void | Promise<void>;
};

/** A finding that was mended says so. */
export interface Examined extends Omit<Finding, "fix"> {
  readonly fixed: boolean;
}

export function ok(check: string, detail: string): Finding {
  return { check, status: "ok", detail };
}
