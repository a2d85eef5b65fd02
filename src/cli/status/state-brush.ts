// The colour of an account's state.

import type { Paint } from "../terminal/colours.ts";
import type { StateLevel } from "./account-state.ts";

/** Green: it serves. Yellow: with restrictions. Red: it cannot. Dim: the user took it out of service. */
export function stateBrush(level: StateLevel, paint: Paint): (text: string) => string {
  return { good: paint.green, low: paint.yellow, bad: paint.red, off: paint.dim }[level];
}
