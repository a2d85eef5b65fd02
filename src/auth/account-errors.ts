// The errors of operations on one account, with the next step for the user.

import { advised } from "../advice.ts";
import { reasonWords } from "../core/reason-words.ts";
import type { UselessOption } from "../core/useless-options.ts";
import { CodexlbError } from "../errors.ts";
import type { AccountRecord } from "../state/account-record.ts";

/** The error for an account that would fail again with its first turn. */
export function loginNeeded({ alias, health, billing }: AccountRecord): CodexlbError {
  if (billing !== undefined)
    return new CodexlbError("login_needed", `enabling ${alias}: its API key was refused`, {
      next: `replace the key with: ${advised("account add-key", alias, "--key-stdin")}`,
    });
  const why = health.kind === "disabled" ? reasonWords(health.reason) : "login expired";
  return new CodexlbError("login_needed", `enabling ${alias}: it is out of service (${why})`, {
    next: `log in: ${advised("account login", alias)}`,
  });
}

/** The error for setting an option that would have no effect. */
export function uselessOption({ alias }: AccountRecord, { field, why }: UselessOption): CodexlbError {
  const flag = field.replace("_", "-");
  return new CodexlbError("invalid_request", `setting ${flag} of ${alias}: ${why}`, {
    next:
      field === "monthly_cap"
        ? `add an API key as an account of its own with: ${advised("account add-key", "ALIAS", "--key-stdin", "--monthly-cap", "20usd")}`
        : `limit what it spends with: ${advised("account set", alias, "--monthly-cap", "20usd")}`,
  });
}
