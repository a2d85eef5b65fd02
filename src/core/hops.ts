// Which proxies of a chain a request has passed, so that it passes none twice, and so that all of them together try it no
// more often than one proxy alone.

/** One proxy. Names are for people and need not be unique; a proxy gets a new id at every start. */
export interface Hop {
  readonly name: string;
  readonly id: string;
}

/** Header that names the proxy of a chain that is to execute an admin call. */
export const TARGET_HEADER = "x-codexlb-target-proxy-name";
/** The proxies that a request has passed, `name~id` in order, separated by commas; names are percent-encoded. */
export const HOPS_HEADER = "x-codexlb-hops";

/**
 * On a request: how many more passing failures are allowed. On a response (and in the `headers` of an error event): how
 * many there were.
 */
export const ATTEMPTS_HEADER = "x-codexlb-attempts";

/** Longer than any real chain of proxies. */
const MOST_HOPS = 32;

/** The hops of a request. Unreadable entries are skipped. */
export function parseHops(header: string | null): readonly Hop[] {
  if (header === null) return [];
  return header.split(",").flatMap((item): Hop[] => {
    const match = /^([^~]*)~([\w-]{1,64})$/.exec(item.trim());
    if (match?.[1] === undefined || match[2] === undefined) return [];
    return [{ name: decoded(match[1]), id: match[2] }];
  });
}

/** The hops as a header value. */
export function formatHops(hops: readonly Hop[]): string {
  return hops.map(({ name, id }) => `${encoded(name).replaceAll("~", "%7E")}~${id}`).join(", ");
}

/** Why the request must not be passed on by `own`: its way is a circle, or too long. Undefined if it may. */
export function loopProblem(hops: readonly Hop[], own: Hop): string | undefined {
  const start = hops.findIndex(({ id }) => id === own.id);
  if (start >= 0)
    return `the request came back to a proxy that it already passed: ${wayOf([...hops.slice(start), own])}`;
  return hops.length < MOST_HOPS
    ? undefined
    : `the request has passed ${hops.length} proxies; the limit is ${MOST_HOPS}`;
}

/** `a -> b -> c`. */
export function wayOf(hops: readonly Pick<Hop, "name">[]): string {
  return hops.map(({ name }) => name).join(" -> ");
}

/** A name as a header value: ASCII, percent-encoded where necessary. */
export function nameForHeader(name: string): string {
  return /^[\x20-\x7e]*$/.test(name) && !name.includes("%") ? name : encoded(name);
}

/** The name in a header, as `nameForHeader` and the Go program write it. */
export function nameFromHeader(text: string): string {
  return decoded(text.trim());
}

/** The count of attempts in a header; undefined if there is none. */
export function parseAttempts(text: string | null | undefined): number | undefined {
  return text !== null && text !== undefined && /^\d{1,4}$/.test(text.trim()) ? Number(text) : undefined;
}

// --- internal ---

/** Half of a surrogate pair cannot be encoded. */
function encoded(name: string): string {
  return encodeURIComponent(name.toWellFormed());
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // another program's name, not percent-encoded
  }
}
