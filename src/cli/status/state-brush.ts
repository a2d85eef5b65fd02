// The colour of an account's state.

import type { StateLevel } from "../../core/account-state.ts";
import type { Paint } from "../terminal/colours.ts";

/** Green: it serves. Yellow: with restrictions. Red: it cannot. Dim: the user took it out of service. */
export function stateBrush(level: StateLevel, paint: Paint): (text: string) => string {
  return { good: paint.green, low: paint.yellow, bad: paint.red, off: paint.dim }[level];
}
