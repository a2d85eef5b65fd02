// Answers the completion scripts: `codexlb __complete SHELL INDEX WORDS...`, of which the word at INDEX is completed.
// The answer is a line that says of what kind it is (words, files, directories), then a line for each word: the word,
// a tab, what it means. Whatever goes wrong, somebody is typing a line: no answer is better than a message in it.

import { systemDeps } from "../../deps.ts";
import { print } from "../../print.ts";
import { oneLine } from "../../printable.ts";
import type { Command } from "../help/command-description.ts";
import { lineOf, lineOfBash } from "./line.ts";
import { namesFrom } from "./names.ts";
import { type Names, offerFor } from "./offer.ts";

/** Prints the answer, or nothing. Never throws. */
export async function complete(root: Command, argv: readonly string[]): Promise<void> {
  try {
    print(await answerTo(argv, root, namesFrom(systemDeps())));
  } catch {
    // Said above.
  }
}

/** Throws when there is no answer. */
export async function answerTo(argv: readonly string[], root: Command, names: Names): Promise<string> {
  const [shell = "", index, ...words] = argv;
  const line = (shell === "bash" ? lineOfBash : lineOf)(words, Number(index));
  const offer = await offerFor(root, line, names);
  if (offer.kind !== "words") return `${offer.kind}\n`;
  const lines = offer.words
    .filter(({ word }) => PLAIN.test(word) && (!MATCHED_HERE.has(shell) || word.startsWith(line.current)))
    .map(({ word, description }) => `${word.slice(line.kept)}\t${oneLine(description)}\n`);
  return ["words\n", ...lines].join("");
}

// --- internal ---

/** What no shell has to quote. Every name that the program takes is made of this; others could only be harmful. */
const PLAIN = /^[A-Za-z0-9._@+:=/-]+$/;
/** The others choose by their users' own rules, which may be laxer. */
const MATCHED_HERE: ReadonlySet<string> = new Set(["bash", "powershell"]);
