// The interface of the steps of `codexlb init`: a step examines the machine, offers what is missing, and does what the
// user chooses.

import { advised } from "../../advice.ts";

/** One step of the set-up. */
export interface Step {
  /** Such as `Accounts`. */
  readonly title: string;
  /** Examines the machine and changes nothing. Called again after each change. Throws `CodexlbError`. */
  detect(): Promise<StepState>;
}

/**
 * The state of a step.
 * `done`: nothing is left to do. `unavailable`: it cannot be done now. `open`: the user can choose.
 */
export type StepState =
  | { readonly kind: "done"; readonly detail: string }
  | {
      readonly kind: "unavailable";
      readonly detail: string;
      /** What to do about it. */
      readonly next: string;
      /** False if the set-up is complete without the step. */
      readonly isRequired: boolean;
      /** True if an earlier step may make it possible. Default: false. */
      readonly needsEarlierStep?: boolean;
    }
  | {
      readonly kind: "open";
      /** Paragraphs: what the step found, and what each choice would change. */
      readonly details: readonly string[];
      readonly offer: Offer;
      /** If nothing more is chosen, the step is done, and this is its result. Undefined: it is skipped. */
      readonly settled?: string | undefined;
    };

/** A question with its answers. Each offer can also be declined, with `n`. */
export interface Offer {
  /** Such as `Import it?`. */
  readonly question: string;
  readonly choices: readonly Choice[];
  /** What `n` means, for an offer with several choices. Default: `none of these`. */
  readonly decline?: string;
  /** The key of the choice for Enter. */
  readonly enter: string;
  /** The key of the choice with `--yes`. */
  readonly preset: string;
}

export interface Choice {
  /** A single letter. */
  readonly key: string;
  readonly label: string;
  /** Carries out the choice. Throws `CodexlbError` if it fails, and `interrupted`. */
  apply(): Promise<StepResult>;
}

/**
 * The result of a choice.
 * `changed`: look again, because something may be left. `done`: the step is done. `failed`: the reason was printed.
 */
export type StepResult =
  | { readonly kind: "changed" }
  | { readonly kind: "done"; readonly detail: string }
  | { readonly kind: "failed" };

export const CHANGED: StepResult = { kind: "changed" };
export const FAILED: StepResult = { kind: "failed" };

/** The key that declines every offer. */
export const NO = "n";

/** The states of steps that need an earlier one. */
export const NEEDS_ROOT = needs("the state directory", "it is created in the step above");
export function needsAccount(): StepState {
  return needs("an account", `add one in the step above, or with: ${advised("account login", "ALIAS")}`);
}
export const NEEDS_CODEX = needs("Codex", "install it, as the first step says");

// --- internal ---

function needs(what: string, next: string): StepState {
  return { kind: "unavailable", detail: `needs ${what}`, next, isRequired: true, needsEarlierStep: true };
}
