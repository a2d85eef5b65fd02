// The run of steps: what is shown, asked and done for each state of a step.

import { expect, test } from "bun:test";
import { runSteps } from "../../../src/cli/init/run-steps.ts";
import {
  CHANGED,
  FAILED,
  needsAccount,
  type Offer,
  type Step,
  type StepResult,
  type StepState,
} from "../../../src/cli/init/step.ts";
import { CodexlbError } from "../../../src/errors.ts";
import { scriptedDialog } from "./scripted-dialog.ts";

function offer(apply: () => Promise<StepResult>): Offer {
  return { question: "Do it?", choices: [{ key: "y", label: "yes", apply }], enter: "y", preset: "y" };
}

const stepOf = (title: string, detect: () => Promise<StepState>): Step => ({ title, detect });
const done = (title: string): Step => stepOf(title, async () => ({ kind: "done", detail: "was done" }));

/** A step that is open until it was applied with success; `results` are those of the attempts. */
function attempts(results: readonly StepResult[], settled?: string): Step & { tried(): number } {
  let tried = 0;
  const apply = async () => results[tried++] ?? FAILED;
  return {
    title: "Step",
    tried: () => tried,
    detect: async () =>
      results[tried - 1]?.kind === "changed"
        ? { kind: "done", detail: "now it is done" }
        : { kind: "open", details: ["This changes something."], offer: offer(apply), settled },
  };
}

test("a finished step is shown and asks nothing", async () => {
  const talk = scriptedDialog();
  expect(await runSteps([done("One"), done("Two")], talk.dialog, { isAsked: true })).toEqual([
    { title: "One", kind: "done" },
    { title: "Two", kind: "done" },
  ]);
  expect(talk.text()).toBe("\n1/2 One\n  ✓ was done\n\n2/2 Two\n  ✓ was done\n");
});

test("a yes changes something, and then the step is examined again", async () => {
  const talk = scriptedDialog(["y"]);
  const step = attempts([CHANGED]);
  expect(await runSteps([step], talk.dialog, { isAsked: true })).toEqual([{ title: "Step", kind: "done" }]);
  expect(step.tried()).toBe(1);
  expect(talk.text()).toBe("\n1/1 Step\n  This changes something.\n  Do it? [Y/n] y\n  ✓ now it is done\n");
});

test("a no changes nothing", async () => {
  const talk = scriptedDialog(["n"]);
  const step = attempts([CHANGED]);
  expect(await runSteps([step], talk.dialog, { isAsked: true })).toEqual([
    { title: "Step", kind: "skipped" },
  ]);
  expect(step.tried()).toBe(0);
  expect(talk.text()).toEndWith("  skipped\n");
});

test("a no to more of something is a finished step", async () => {
  const talk = scriptedDialog(["n"]);
  const [end] = await runSteps([attempts([], "2 of them")], talk.dialog, { isAsked: true });
  expect(end?.kind).toBe("done");
  expect(talk.text()).toEndWith("  ✓ 2 of them\n");
});

test("a failed choice is offered again; after a no the step has failed", async () => {
  const repeated = attempts([FAILED, CHANGED]);
  const [end] = await runSteps([repeated], scriptedDialog(["y", "y"]).dialog, { isAsked: true });
  expect([end?.kind, repeated.tried()]).toEqual(["done", 2]);
  const declined = attempts([FAILED, CHANGED], "2 of them");
  const [failed] = await runSteps([declined], scriptedDialog(["y", "n"]).dialog, { isAsked: true });
  expect([failed?.kind, declined.tried()]).toEqual(["failed", 1]);
});

test("with --yes a failed choice is not repeated, and the next steps follow", async () => {
  const step = attempts([FAILED, CHANGED]);
  const ends = await runSteps([step, done("Next")], scriptedDialog("preset").dialog, { isAsked: false });
  expect(ends.map(({ kind }) => kind)).toEqual(["failed", "done"]);
  expect(step.tried()).toBe(1);
});

test("with --yes a choice that changes nothing is not repeated", async () => {
  let tried = 0;
  const step = stepOf("Step", async () => ({
    kind: "open",
    details: ["This changes something."],
    offer: offer(async () => {
      tried++;
      return CHANGED;
    }),
  }));
  const talk = scriptedDialog("preset");
  const [end] = await runSteps([step], talk.dialog, { isAsked: false });
  expect([end?.kind, tried]).toEqual(["failed", 1]);
  expect(talk.text()).toEndWith("  ! this had no effect\n");
});

test("a step that cannot be done says what to do; only a required one counts", async () => {
  const talk = scriptedDialog();
  const optional: StepState = { kind: "unavailable", detail: "no shell", next: "get one", isRequired: false };
  const steps = [stepOf("Turn", async () => needsAccount()), stepOf("Shell", async () => optional)];
  const ends = await runSteps(steps, talk.dialog, { isAsked: true });
  expect(ends.map(({ kind }) => kind)).toEqual(["unavailable", "skipped"]);
  expect(talk.text()).toContain("  ! needs an account\n  add one in the step above");
});

test("errors are shown with what to do; an interruption ends the run", async () => {
  const broken = async (): Promise<never> => {
    throw new CodexlbError("file_unusable", "writing: no room", { next: "make room" });
  };
  const talk = scriptedDialog(["y", "n"]);
  const open = stepOf("Open", async () => ({ kind: "open", details: [], offer: offer(broken) }));
  const ends = await runSteps([stepOf("Broken", broken), open], talk.dialog, { isAsked: true });
  expect(ends.map(({ kind }) => kind)).toEqual(["failed", "failed"]);
  expect(talk.text().match(/ {2}! writing: no room\n {2}make room\n/g)).toHaveLength(2);

  const interrupted = new CodexlbError("interrupted", "interrupted", { next: "again" });
  const stops = stepOf("Stops", async () => ({
    kind: "open",
    details: [],
    offer: offer(() => Promise.reject(interrupted)),
  }));
  const next = attempts([CHANGED]);
  const run = runSteps([stops, next], scriptedDialog(["y", "y"]).dialog, { isAsked: true });
  expect(await run.catch((reason: unknown) => reason)).toBe(interrupted);
  expect(next.tried()).toBe(0);
});
