// The possible words at a place of the command line, from the descriptions of the commands. `names` finds the names of
// accounts, keys and tags.

import { POLICY_MODES } from "../../core/policy.ts";
import { type IncompleteFlags, readFlags } from "../flags.ts";
import type { Command } from "../help/command-description.ts";
import { type CommandDescription, commandAt, type Flag, subCommandsOf } from "../help/command-description.ts";
import type { Line } from "./line.ts";

/** A word and its description. */
export interface Candidate {
  readonly word: string;
  readonly description: string;
}

/** The possible completions. */
export type Offer =
  | { readonly kind: "words"; readonly words: readonly Candidate[] }
  | { readonly kind: "files" }
  | { readonly kind: "directories" };

/** Finds the aliases, key names or tags of the root that the flag `root` names; undefined means the default root. */
export type Names = (
  of: "aliases" | "keys" | "tags",
  root: string | undefined,
) => Promise<readonly Candidate[]>;

/** The possible words in the place of `current`. Throws `usage` if the words before it are wrong. */
export async function offerFor(
  root: Command,
  { before, current }: Pick<Line, "before" | "current">,
  names: Names,
): Promise<Offer> {
  if (before[0] === "help") return helpOffer(root, before.slice(1));
  const { at, rest } = await commandAt(root, before);
  if (!at.runs && rest.length > 0) return NOTHING;
  const read = readFlags(at.args, rest, at.foreignFlags);
  const place: Place = { at, read, names };
  const open = at.flags.find(({ name }) => name === read.open);
  if (open !== undefined) return valueOffer(place, open);
  if (!read.ended && current.startsWith("-")) return flagOffer(place, current);
  const last = at.positionals.at(-1);
  const positional = at.positionals[read.rest.length] ?? (last?.hint.endsWith(SEVERAL) ? last : undefined);
  if (positional !== undefined) return valueOffer(place, positional);
  if (at.takesMore) return { kind: "files" };
  if (read.ended) return NOTHING;
  const subCommands = rest.length === 0 ? await subCommandWords(at) : [];
  return { kind: "words", words: [...subCommands, ...(at.runs ? flagWords(place, "--") : [])] };
}

// --- internal ---

interface Place {
  readonly at: CommandDescription;
  readonly read: IncompleteFlags;
  readonly names: Names;
}

const NOTHING: Offer = { kind: "words", words: [] };
/** Commands whose argument is the name of an existing key. */
const KEY_WANTED: ReadonlySet<string> = new Set(["key rm", "key set", "key show"]);
/** The end of the placeholder of an argument that may be repeated. */
const SEVERAL = "...";
const DIRECTORIES: ReadonlySet<string> = new Set(["DIR", "CODEX_HOME"]);
/** Placeholders of files. ARGUMENTS are for another program. */
const FILES: ReadonlySet<string> = new Set(["PATH", "FILE", "ARGUMENTS"]);
const HELP: Flag = { name: "help", hint: undefined, description: "Show the help" };
const VERSION: Flag = { name: "version", hint: undefined, description: "Show the version" };

/** `codexlb help account pin`. */
async function helpOffer(root: Command, path: readonly string[]): Promise<Offer> {
  const { at, rest } = await commandAt(root, path);
  return rest.length > 0 ? NOTHING : { kind: "words", words: await subCommandWords(at) };
}

/** Flags, or the value of a flag after an equals sign. */
async function flagOffer(place: Place, current: string): Promise<Offer> {
  const [, dashes = "", name, equals] = /^(--?)([^=]*)(=?)/.exec(current) ?? [];
  if (equals === "") return { kind: "words", words: flagWords(place, current === "-" ? "--" : dashes) };
  const flag = place.at.flags.find((one) => one.name === name);
  if (flag === undefined) return NOTHING;
  const offer = await valueOffer(place, flag);
  if (offer.kind !== "words") return offer;
  const words = offer.words.map((one) => ({ ...one, word: `${dashes}${name}=${one.word}` }));
  return { kind: "words", words };
}

/** The flags that are not on the line. */
function flagWords({ at, read }: Place, dashes: string): Candidate[] {
  return [...at.flags, HELP, ...(at.path.length === 0 ? [VERSION] : [])]
    .filter(({ name }) => !read.given.has(name))
    .map(({ name, description }) => ({ word: `${dashes}${name}`, description }));
}

async function subCommandWords(at: CommandDescription): Promise<Candidate[]> {
  return [...(await subCommandsOf(at))].map(([word, { description }]) => ({ word, description }));
}

function plainWords(words: readonly string[]): Candidate[] {
  return words.map((word) => ({ word, description: "" }));
}

/** The values of a flag or positional, according to its placeholder. */
async function valueOffer({ at, read, names }: Place, { name, hint = "" }: Flag): Promise<Offer> {
  if (DIRECTORIES.has(hint)) return { kind: "directories" };
  if (FILES.has(hint)) return { kind: "files" };
  const root = typeof read.values.root === "string" ? read.values.root : undefined;
  if (hint === "ALIAS" || hint === `ALIAS${SEVERAL}`)
    return { kind: "words", words: await names("aliases", root) };
  if (hint === "POLICY,...") return { kind: "words", words: plainWords(POLICY_MODES) };
  if (hint === "TAG,...") return { kind: "words", words: await names("tags", root) };
  if (hint === "KEY" || (name === "name" && KEY_WANTED.has(at.path.join(" "))))
    return { kind: "words", words: await names("keys", root) };
  if (!hint.includes("|")) return NOTHING;
  return { kind: "words", words: plainWords(hint.split("|")) };
}
