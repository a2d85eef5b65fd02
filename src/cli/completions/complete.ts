// Answers the completion scripts: `codexlb __complete SHELL INDEX WORDS...` completes the word at INDEX. The first line
// of the answer is its kind (words, files, directories). A line for each word follows: the word, a tab, its
// description. Errors produce no answer, because a message would appear in the line that the user is typing.

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
    // No answer; see the top of this file.
  }
}

/** The answer for `argv`. Throws if there is none. */
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

/** Words that no shell must quote. All valid names match; other text could be harmful. */
const PLAIN = /^[A-Za-z0-9._@+:=/-]+$/;
/** Shells that do not select the matching words themselves. The others apply the rules of their users. */
const MATCHED_HERE: ReadonlySet<string> = new Set(["bash", "powershell"]);
