// Random delays, so that accounts and child proxies that failed together are not asked again together.

/** The largest share by which a delay is changed. */
export const JITTER = 0.2;

/** A random number from 0 to 1. `random` returns as many random bytes as it is asked for. */
export function chance(random: (bytes: number) => Uint8Array): number {
  return (random(1)[0] ?? 0) / 255;
}

/** `ms`, and up to a fifth more: `part` (0..1) of it. */
export function prolonged(ms: number, part: number): number {
  return ms * (1 + JITTER * part);
}

/** `ms`, up to a fifth less (`part` is 0) or more (`part` is 1). */
export function spread(ms: number, part: number): number {
  return ms * (1 + JITTER * (2 * part - 1));
}
