// The model catalogue of an upstream, and the union of several. Entries are kept unchanged, because Codex reads fields
// that this program does not know.

import { elementsOf, type JsonBounds, memberOf, parseJson, type Span, stringFields } from "./json.ts";

/** The models that an upstream may use. */
export interface Catalogue {
  /** The document: a JSON object. */
  readonly text: string;
  /** The position of its `models` array. */
  readonly list: Span;
  readonly entries: readonly CatalogueEntry[];
  readonly slugs: ReadonlySet<string>;
}

export interface CatalogueEntry {
  /** The model's name in requests; undefined if the entry has none. */
  readonly slug: string | undefined;
  /** The entry as it was received. */
  readonly text: string;
}

/** Which models the upstreams of a pool have. */
export interface ModelOffers {
  /**
   * True if a known catalogue of the upstream lists `model`, false if catalogues are known and none of them does,
   * undefined if none is known.
   */
  offers(upstreamId: string, model: string): boolean | undefined;
  /** False until the first catalogues have been collected; until then `offers` returns undefined. */
  hasKnowledge(): boolean;
}

/** Four times the largest known catalogue, which has 14 models in 0.9 MiB. */
export const CATALOGUE_LIMIT_BYTES = 4 * 1024 * 1024;

const BOUNDS: JsonBounds = { chars: CATALOGUE_LIMIT_BYTES, depth: 64, values: 200_000 };

/** Reads a catalogue. Returns undefined if `text` is too large or is not a JSON object with a `models` array. */
export function readCatalogue(text: string): Catalogue | undefined {
  const json = parseJson(text, BOUNDS);
  if (typeof json !== "object" || json === null || !("models" in json) || !Array.isArray(json.models))
    return undefined;
  const list = memberOf(text, "models");
  if (list === undefined) return undefined;
  const entries = [...elementsOf(text, list.start)].map(({ start, end }): CatalogueEntry => {
    const entry = text.slice(start, end);
    return { slug: stringFields(entry, ["slug"]).slug, text: entry };
  });
  const slugs = new Set(entries.flatMap(({ slug }) => (slug === undefined ? [] : [slug])));
  return { text, list: { start: list.start, end: list.end }, entries, slugs };
}

/** The document of `catalogue` with only the models for which `allows` returns true. */
export function restrictedCatalogue(catalogue: Catalogue, allows: (slug: string) => boolean): string {
  const { text, list, entries } = catalogue;
  const allowed = entries.filter(({ slug }) => slug !== undefined && allows(slug));
  return `${text.slice(0, list.start)}[${allowed.map((entry) => entry.text).join(",")}]${text.slice(list.end)}`;
}

/**
 * The union of `catalogues` (at least one): the first document, with the models that only later ones list appended in
 * order. Each model's entry comes from the first catalogue that lists it.
 */
export function unionOfCatalogues([first, ...others]: readonly [Catalogue, ...Catalogue[]]): string {
  const seen = new Set(first.slugs);
  const added: string[] = [];
  for (const { entries } of others)
    for (const { slug, text } of entries) {
      if (slug === undefined || seen.has(slug)) continue;
      seen.add(slug);
      added.push(text);
    }
  if (added.length === 0) return first.text;
  const all = [...first.entries.map(({ text }) => text), ...added];
  return `${first.text.slice(0, first.list.start)}[${all.join(",")}]${first.text.slice(first.list.end)}`;
}
