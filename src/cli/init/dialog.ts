// The conversation of `codexlb init`: what it prints, and how it asks.

import { CodexlbError } from "../../errors.ts";
import { shortLine } from "../../printable.ts";
import { wrappedLines } from "../../wrapped-lines.ts";
import type { TextStyle } from "../terminal/glyphs.ts";
import { type Choice, NO, type Offer } from "./step.ts";

export type Mark = "ok" | "warning" | "none";

export interface Dialog {
  heading(text: string): void;
  /** Prints a paragraph with a mark before it (default: none). */
  say(text: string, mark?: Mark): void;
  /** Prints a term and what it means, as in a list. */
  row(term: string, text: string): void;
  /** Resolves to the key of a choice, or `NO`. Throws `interrupted`. */
  choose(offer: Offer): Promise<string>;
  /**
   * Resolves to a text for which `problem` returns undefined. Enter chooses `suggestion`; undefined: an empty text.
   * Throws `interrupted`.
   */
  text(
    question: string,
    suggestion: string | undefined,
    problem: (text: string) => string | undefined,
  ): Promise<string>;
}

export interface DialogOptions {
  readonly columns: number;
  readonly style: TextStyle;
  readonly print: (text: string) => void;
  /** Prints a prompt and reads a line; undefined: nothing is asked, and each question gets its preset answer. */
  readonly ask: ((prompt: string) => Promise<string>) | undefined;
}

export function createDialog({ columns, style, print, ask }: DialogOptions): Dialog {
  const { paint, glyphs } = style;
  /** Prints `text` wrapped, `first` before its first line, and blanks of the same width before the others. */
  const paragraph = (first: string, text: string): void =>
    print(`${wrappedLines(shortLine(text), { columns, first }).join("\n")}\n`);
  const marks: Readonly<Record<Mark, string>> = {
    ok: `${paint.green(glyphs.ok)} `,
    warning: `${paint.yellow(glyphs.warning.trim())} `,
    none: "",
  };
  const say: Dialog["say"] = (text, mark = "none") => paragraph(`${INDENT}${marks[mark]}`, text);
  const row: Dialog["row"] = (term, text) => paragraph(`${INDENT}${paint.bold(term)}  `, text);
  return {
    heading: (text) => print(`\n${paint.bold(text)}\n`),
    say,
    row,
    choose: async (offer) => {
      if (ask === undefined) {
        say(`${offer.question} ${labelOf(offer, offer.preset)} (--yes)`);
        return offer.preset;
      }
      if (!isQuestion(offer)) for (const { key, label } of withNo(offer)) row(key, label);
      const keys = withNo(offer).map(({ key }) => key);
      const shown = keys.map((key) => (key === offer.enter ? key.toUpperCase() : key)).join("/");
      for (;;) {
        const answer = (await ask(`${INDENT}${offer.question} [${shown}] `)).toLowerCase();
        const key = answer === "" ? offer.enter : keyOf(answer, offer);
        if (key !== undefined) return key;
        say(`Answer with one of: ${keys.join(", ")}. Enter chooses ${offer.enter}.`);
      }
    },
    text: async (question, suggestion, problem) => {
      if (ask === undefined) {
        say(`${question}: ${suggestion ?? ""} (--yes)`);
        return suggestion ?? "";
      }
      for (;;) {
        const hint = suggestion === undefined ? "" : ` [${suggestion}]`;
        const answer = (await ask(`${INDENT}${question}${hint}: `)) || suggestion || "";
        const wrong = problem(answer);
        if (wrong === undefined) return answer;
        say(wrong, "warning");
      }
    },
  };
}

/** Prints the error of a step: what went wrong, and what to do. */
export function sayError(dialog: Dialog, error: unknown): void {
  if (!(error instanceof CodexlbError)) throw error;
  dialog.say(error.message, "warning");
  dialog.say(error.next);
}

// --- internal ---

const INDENT = "  ";
const NO_WORDS: ReadonlySet<string> = new Set([NO, "no", "skip"]);

/** True for a question with `y` and `n` only. Other offers list their choices. */
function isQuestion({ choices }: Offer): boolean {
  return choices.every(({ key }) => key === "y" || key === NO);
}

function withNo({ choices, decline = "none of these" }: Offer): readonly Pick<Choice, "key" | "label">[] {
  return choices.some(({ key }) => key === NO) ? choices : [...choices, { key: NO, label: decline }];
}

function labelOf(offer: Offer, key: string): string {
  return withNo(offer).find((one) => one.key === key)?.label ?? key;
}

/** The key that an answer means; undefined if it means none. */
function keyOf(answer: string, offer: Offer): string | undefined {
  if (answer === "yes" && isQuestion(offer)) return "y";
  return withNo(offer).find(({ key }) => key === answer)?.key ?? (NO_WORDS.has(answer) ? NO : undefined);
}
