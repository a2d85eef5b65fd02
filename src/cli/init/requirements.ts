// Checks before `codexlb init --yes` that its steps are possible, so that a set-up that cannot succeed changes nothing.

import { advised } from "../../advice.ts";
import { CodexlbError } from "../../errors.ts";
import { ownLogins } from "./own-logins.ts";
import { accountsOf, canServe } from "./pool-state.ts";
import type { SetUp } from "./set-up.ts";
import type { Step } from "./step.ts";

/** Throws `unhealthy` if a required step is not possible, even after the earlier ones. Changes nothing. */
export async function requirePossible(steps: readonly Step[], setUp: SetUp): Promise<void> {
  for (const { title, detect } of steps) {
    const state = await detect().catch((error) => {
      if (!(error instanceof CodexlbError) || error.code === "interrupted") throw error;
      throw impossible(setUp, title, error.message, error.next);
    });
    if (state.kind === "unavailable" && state.isRequired && !state.needsEarlierStep)
      throw impossible(setUp, title, state.detail, state.next);
  }
  await requireLogin(setUp);
}

// --- internal ---

/** Throws `unhealthy` if there is neither an account nor a login that `--yes` imports. */
async function requireLogin(setUp: SetUp): Promise<void> {
  const { context } = setUp;
  if (await canServe(context)) return;
  const logins = ownLogins(context, await accountsOf(context));
  if (logins.some(({ kind }) => kind === "new")) return;
  const unusable = logins.flatMap((one) => (one.kind === "unusable" ? [one.why] : []));
  const problem = ["no account is enrolled, and your Codex home has no login to import", ...unusable];
  throw impossible(
    setUp,
    "Accounts",
    problem.join("; "),
    `add one with: ${advised("account login", "ALIAS")}`,
  );
}

function impossible({ again }: SetUp, title: string, problem: string, next: string): CodexlbError {
  return new CodexlbError(
    "unhealthy",
    `nothing was changed, because the step ${title} is not possible: ${problem}`,
    {
      next: `${next}; then run: ${again}`,
    },
  );
}
