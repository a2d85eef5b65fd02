// The limits of a client key: what they are, which values are allowed, and whether a model is among the allowed ones.
// Pure.

export interface KeyLimits {
  /** From this moment on the key gives no access, Unix ms. */
  readonly expiresMs?: number | undefined;
  /** How many turns may begin within any 60 seconds. */
  readonly turnsPerMinute?: number | undefined;
  /** The tokens (input and output) of a day, after which no further turn begins. */
  readonly tokensPerDay?: number | undefined;
  /** Patterns of the models that it may use; `*` stands for any characters. */
  readonly models?: readonly string[] | undefined;
}

/** Limits to set; null removes one, and undefined leaves it. */
export type KeyLimitChanges = {
  readonly [Name in keyof KeyLimits]?: Exclude<KeyLimits[Name], undefined> | null | undefined;
};

/** What a key has used. Counted only while the key has a limit. */
export interface KeyUse {
  /** Turns that began within the last 60 seconds. */
  readonly turnsLastMinute: number;
  readonly tokensToday: number;
  /** When `tokensToday` begins again at 0, Unix ms: midnight in the time zone of the proxy. */
  readonly dayEndsMs: number;
}

/** Why a key may not begin a turn now. */
export type KeyLimitProblem =
  | { readonly kind: "expired"; readonly expiresMs: number }
  /** `model`: undefined if the turn names none, or several. */
  | { readonly kind: "model"; readonly model: string | undefined; readonly models: readonly string[] }
  | { readonly kind: "tokens_per_day"; readonly tokensPerDay: number; readonly resetMs: number }
  /** What is left may be in use already, by turns in flight or on other replicas. */
  | { readonly kind: "tokens_unsure"; readonly tokensPerDay: number; readonly waitSeconds: number }
  | { readonly kind: "rpm"; readonly turnsPerMinute: number; readonly waitSeconds: number }
  /** The turns that are left may have begun on other replicas already. */
  | { readonly kind: "rpm_unsure"; readonly turnsPerMinute: number; readonly waitSeconds: number };

/** More turns per minute than one process can serve. */
export const MOST_TURNS_PER_MINUTE = 1_000_000;
export const MOST_TOKENS_PER_DAY = 1e15;
export const MOST_PATTERNS = 16;

/** `before` with `changes`; undefined if no limit is left. */
export function changedLimits(
  before: KeyLimits | undefined,
  changes: KeyLimitChanges,
): KeyLimits | undefined {
  const values = Object.entries({ ...before, ...changes }).map(
    ([name, value]) =>
      [name, value === undefined ? before?.[name as keyof KeyLimits] : (value ?? undefined)] as const,
  );
  const limits = Object.fromEntries(values.filter(([, value]) => value !== undefined));
  return Object.keys(limits).length === 0 ? undefined : limits;
}

/** Why `limits` are not allowed; undefined if they are. */
export function limitsProblem({ turnsPerMinute, tokensPerDay, models }: KeyLimits): string | undefined {
  if (turnsPerMinute !== undefined && !isCount(turnsPerMinute, MOST_TURNS_PER_MINUTE))
    return `the turns per minute must be a whole number from 1 to ${MOST_TURNS_PER_MINUTE}`;
  if (tokensPerDay !== undefined && !isCount(tokensPerDay, MOST_TOKENS_PER_DAY))
    return `the tokens per day must be a whole number from 1 to ${MOST_TOKENS_PER_DAY}`;
  return models === undefined ? undefined : modelsProblem(models);
}

/**
 * A number in `text`: `200000`, `200k`, `5M`, `1.5G` (k, M and G in either case; `_` may separate digits). Undefined if
 * `text` is not one, or not a whole number.
 */
export function countIn(text: string): number | undefined {
  const [, digits, unit = ""] = /^\s*(\d[\d_]*(?:\.\d+)?)\s*([kmg]?)\s*$/i.exec(text) ?? [];
  if (digits === undefined) return undefined;
  // A product with a fraction, such as 1.1 * 1e6, can miss the whole number by a rounding error.
  const count = Number(digits.replaceAll("_", "")) * (UNITS[unit.toLowerCase()] ?? 1);
  const whole = Math.round(count);
  return Math.abs(count - whole) < 1e-6 * Math.max(1, whole) && Number.isSafeInteger(whole)
    ? whole
    : undefined;
}

/** `count` as a limit is written, if that is exact: `5M`, `200k`, `1234567`. */
export function countText(count: number): string {
  for (const [unit, size] of [
    ["G", 1e9],
    ["M", 1e6],
    ["k", 1e3],
  ] as const)
    if (count >= size && Number.isInteger((count / size) * 10)) return `${count / size}${unit}`;
  return String(count);
}

/** Patterns without surrounding spaces, duplicates and blank ones. */
export function normalizedModels(models: readonly string[]): string[] {
  return [...new Set(models.map((model) => model.trim()).filter((model) => model !== ""))];
}

/** True if one of `patterns` matches the whole name `model`. */
export function allowsModel(patterns: readonly string[], model: string): boolean {
  if (model.length > LONGEST_MODEL) return false;
  for (const pattern of patterns) if (matches(pattern, model)) return true;
  return false;
}

// --- internal ---

const UNITS: Readonly<Record<string, number>> = { k: 1e3, m: 1e6, g: 1e9 };
/** No model has a longer name. Matching takes time in proportion to it. */
const LONGEST_MODEL = 200;
const PATTERN = /^[A-Za-z0-9*][A-Za-z0-9*._:/-]{0,63}$/;

function isCount(value: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= 1 && value <= most;
}

function modelsProblem(models: readonly string[]): string | undefined {
  const wrong = models.find((model) => !PATTERN.test(model));
  if (wrong !== undefined)
    return `${JSON.stringify(wrong)} is not a pattern for models: use 1 to 64 letters, digits and ._:/- with * for any characters`;
  if (models.length === 0) return "name at least one pattern for models";
  return models.length > MOST_PATTERNS ? `name at most ${MOST_PATTERNS} patterns for models` : undefined;
}

/** Matches without allocating. After a mismatch, only the last `*` takes one more character. */
function matches(pattern: string, text: string): boolean {
  let at = 0;
  let star = -1;
  let afterStar = 0;
  for (let next = 0; next < text.length; ) {
    if (at < pattern.length && pattern.charCodeAt(at) === STAR) {
      star = at++;
      afterStar = next;
    } else if (at < pattern.length && pattern.charCodeAt(at) === text.charCodeAt(next)) {
      at++;
      next++;
    } else if (star >= 0) {
      at = star + 1;
      next = ++afterStar;
    } else return false;
  }
  while (pattern.charCodeAt(at) === STAR) at++;
  return at === pattern.length;
}

const STAR = 42;
