// Which proxies of a chain a request has passed: so that none is passed twice, and all of them together try no more
// often than one alone would.

/** One proxy. Names are for people and may be given twice; the id is made anew by every start of a proxy. */
export interface Hop {
  readonly name: string;
  readonly id: string;
}

/** Header that names the proxy of a chain that is to carry out an admin call. */
export const TARGET_HEADER = "x-codexlb-target-proxy-name";
/** The proxies that a request has passed, `name~id` in order, separated by commas; names are percent-encoded. */
export const HOPS_HEADER = "x-codexlb-hops";

/**
 * On a request: how many passing failures may still be met on its way. On an answer (and in the `headers` of an error
 * event): how many were.
 */
export const ATTEMPTS_HEADER = "x-codexlb-attempts";

/** A chain of more proxies than anybody has. */
const MOST_HOPS = 32;

/** The hops of a request; what cannot be read is passed over. */
export function parseHops(header: string | null): readonly Hop[] {
  if (header === null) return [];
  return header.split(",").flatMap((item): Hop[] => {
    const match = /^([^~]*)~([\w-]{1,64})$/.exec(item.trim());
    if (match?.[1] === undefined || match[2] === undefined) return [];
    return [{ name: decoded(match[1]), id: match[2] }];
  });
}

export function formatHops(hops: readonly Hop[]): string {
  return hops.map(({ name, id }) => `${encoded(name).replaceAll("~", "%7E")}~${id}`).join(", ");
}

/** What is wrong with the way that a request has come to `own`: it is a circle, or endless. Undefined when nothing is. */
export function loopProblem(hops: readonly Hop[], own: Hop): string | undefined {
  const start = hops.findIndex(({ id }) => id === own.id);
  if (start >= 0)
    return `the request came back to a proxy that it has passed: ${wayOf([...hops.slice(start), own])}`;
  return hops.length < MOST_HOPS
    ? undefined
    : `the request has passed ${hops.length} proxies, which is too many`;
}

/** `a -> b -> c`. */
export function wayOf(hops: readonly Pick<Hop, "name">[]): string {
  return hops.map(({ name }) => name).join(" -> ");
}

/** A name as a header can hold it: in ASCII, percent-encoded where it has to be. */
export function nameForHeader(name: string): string {
  return /^[\x20-\x7e]*$/.test(name) && !name.includes("%") ? name : encoded(name);
}

/** The name in a header, as `nameForHeader` and the Go program write it. */
export function nameFromHeader(text: string): string {
  return decoded(text.trim());
}

/** A count of attempts as a header tells it; undefined when it tells none. */
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
    return text; // somebody else's idea of a name
  }
}
