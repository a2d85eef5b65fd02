// Runs the steps of `codexlb init`: shows the state of each, asks, and does what the user chooses.

import { CodexlbError } from "../../errors.ts";
import { type Dialog, sayError } from "./dialog.ts";
import { FAILED, NO, type Offer, type Step, type StepResult, type StepState } from "./step.ts";

/** How a step ended. `failed`: a choice did not succeed. `unavailable`: it is required, and was not possible. */
export interface StepEnd {
  readonly title: string;
  readonly kind: "done" | "skipped" | "failed" | "unavailable";
}

/**
 * Runs the steps in order. `isAsked`: the user answers, so that a failed choice can be repeated; otherwise a step ends
 * with its first failure. Throws `interrupted`.
 */
export async function runSteps(
  steps: readonly Step[],
  dialog: Dialog,
  { isAsked }: { readonly isAsked: boolean },
): Promise<StepEnd[]> {
  const ends: StepEnd[] = [];
  for (const [index, step] of steps.entries()) {
    dialog.heading(`${index + 1}/${steps.length} ${step.title}`);
    ends.push({ title: step.title, kind: await runStep(step, dialog, isAsked) });
  }
  return ends;
}

// --- internal ---

async function runStep(step: Step, dialog: Dialog, isAsked: boolean): Promise<StepEnd["kind"]> {
  let hasFailed = false;
  /** The offers that were taken, to notice one that changed nothing. */
  const taken = new Set<string>();
  for (;;) {
    const state = await stateOf(step, dialog);
    if (state === undefined) return "failed";
    if (state.kind === "done") {
      dialog.say(state.detail, "ok");
      return "done";
    }
    if (state.kind === "unavailable") {
      dialog.say(state.detail, "warning");
      dialog.say(state.next);
      return state.isRequired ? "unavailable" : "skipped";
    }
    const offered = state.details.join("\n");
    if (!isAsked && taken.has(offered)) {
      dialog.say("this had no effect", "warning");
      return "failed";
    }
    taken.add(offered);
    for (const detail of state.details) dialog.say(detail);
    const result = await chosen(state.offer, dialog);
    if (result === undefined) {
      if (state.settled !== undefined) dialog.say(state.settled, "ok");
      else dialog.say("skipped");
      return hasFailed ? "failed" : state.settled === undefined ? "skipped" : "done";
    }
    if (result.kind === "done") {
      dialog.say(result.detail, "ok");
      return "done";
    }
    hasFailed = result.kind === "failed";
    if (hasFailed && !isAsked) return "failed";
  }
}

/** The state of the step; undefined if it cannot be examined, after the reason was printed. */
async function stateOf(step: Step, dialog: Dialog): Promise<StepState | undefined> {
  try {
    return await step.detect();
  } catch (error) {
    sayUnlessInterrupted(dialog, error);
    return undefined;
  }
}

/** The result of the user's choice; undefined if the user declines the offer. */
async function chosen(offer: Offer, dialog: Dialog): Promise<StepResult | undefined> {
  const key = await dialog.choose(offer);
  const choice = offer.choices.find((one) => one.key === key);
  if (choice === undefined && key === NO) return undefined;
  try {
    return (await choice?.apply()) ?? FAILED;
  } catch (error) {
    sayUnlessInterrupted(dialog, error);
    return FAILED;
  }
}

function sayUnlessInterrupted(dialog: Dialog, error: unknown): void {
  if (error instanceof CodexlbError && error.code === "interrupted") throw error;
  sayError(dialog, error);
}
