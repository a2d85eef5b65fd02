// How `codexlb init` prints and asks.

import { expect, test } from "bun:test";
import { sayError } from "../../../src/cli/init/dialog.ts";
import { CHANGED, type Offer } from "../../../src/cli/init/step.ts";
import { CodexlbError } from "../../../src/errors.ts";
import { scriptedDialog } from "./scripted-dialog.ts";

const apply = async () => CHANGED;
const YES_NO: Offer = {
  question: "Do it?",
  choices: [{ key: "y", label: "do it", apply }],
  enter: "y",
  preset: "y",
};
const SEVERAL: Offer = {
  question: "Which one?",
  choices: [
    { key: "b", label: "blue", apply },
    { key: "s", label: "silver", apply },
  ],
  decline: "no colour",
  enter: "n",
  preset: "s",
};

test.each([
  ["", "y"],
  ["y", "y"],
  ["YES", "y"],
  ["n", "n"],
  ["no", "n"],
  ["skip", "n"],
])("the answer %p to a yes-or-no question is %s", async (answer, key) => {
  const talk = scriptedDialog([answer]);
  expect(await talk.dialog.choose(YES_NO)).toBe(key);
  expect(talk.text()).toBe(`  Do it? [Y/n] ${answer}\n`);
});

test("other offers list their choices, and the capital letter is the answer of Enter", async () => {
  const talk = scriptedDialog(["s"]);
  expect(await talk.dialog.choose(SEVERAL)).toBe("s");
  expect(talk.text()).toBe("  b  blue\n  s  silver\n  n  no colour\n  Which one? [b/s/N] s\n");
  expect(await scriptedDialog([""]).dialog.choose(SEVERAL)).toBe("n");
});

test("an unknown answer is asked for again", async () => {
  const talk = scriptedDialog(["maybe", "yes", "b"]);
  expect(await talk.dialog.choose(SEVERAL)).toBe("b");
  expect(talk.prompts).toHaveLength(3);
  expect(talk.text()).toContain("Answer with one of: b, s, n. Enter chooses n.\n");
});

test("with --yes nothing is asked, and the chosen answer is shown", async () => {
  const talk = scriptedDialog("preset");
  expect(await talk.dialog.choose(SEVERAL)).toBe("s");
  expect(await talk.dialog.choose(YES_NO)).toBe("y");
  expect(await talk.dialog.text("Name", "alice", () => undefined)).toBe("alice");
  expect(talk.text()).toBe("  Which one? silver (--yes)\n  Do it? do it (--yes)\n  Name: alice (--yes)\n");
});

test("Enter chooses the suggested text, and a wrong text is asked for again with the reason", async () => {
  const talk = scriptedDialog(["a b", ""]);
  const problem = (text: string) => (text.includes(" ") ? `${text} has a blank` : undefined);
  expect(await talk.dialog.text("Name", "alice", problem)).toBe("alice");
  expect(talk.text()).toBe("  Name [alice]: a b\n  ! a b has a blank\n  Name [alice]: \n");
});

test("text is wrapped at the width of the terminal, marks and terms have their own column", () => {
  const { dialog, text } = scriptedDialog([], 30);
  dialog.heading("1/6 Codex");
  dialog.say("a sentence that is longer than the terminal", "ok");
  dialog.row("b", "a choice that is longer than the terminal");
  expect(text()).toBe(
    "\n1/6 Codex\n  ✓ a sentence that is longer\n    than the terminal\n  b  a choice that is longer\n     than the terminal\n",
  );
});

test("marks are ASCII where the locale has no UTF-8", () => {
  const { dialog, text } = scriptedDialog([], 80, false);
  dialog.say("fine", "ok");
  dialog.say("not fine", "warning");
  expect(text()).toBe("  ok fine\n  ! not fine\n");
});

test("an error is shown with what to do; a bug is thrown", () => {
  const { dialog, text } = scriptedDialog();
  sayError(dialog, new CodexlbError("file_unusable", "writing a file: no room", { next: "make room" }));
  expect(text()).toBe("  ! writing a file: no room\n  make room\n");
  expect(() => sayError(dialog, new TypeError("a bug"))).toThrow("a bug");
});
