// A clock that all processes of a benchmark share, so that one process can stamp an event and another can read its age.

let originMs: number | undefined;

/** Unix time in ms, with fractions of a microsecond. The processes of one machine agree to within some microseconds. */
export function sharedNowMs(): number {
  originMs ??= readOriginMs();
  return originMs + performance.now();
}

// --- internal ---

const READINGS = 20;

/**
 * The wall time at which `performance.now()` was 0. `performance.timeOrigin` is rounded to a millisecond, so this function
 * measures at the ticks of the wall clock instead. A tick noticed late gives a smaller value, so the largest is right.
 */
function readOriginMs(): number {
  let largest = 0;
  for (let reading = 0; reading < READINGS; reading++) {
    const before = Date.now();
    let now = before;
    while (now === before) now = Date.now();
    largest = Math.max(largest, now - performance.now());
  }
  return largest;
}
