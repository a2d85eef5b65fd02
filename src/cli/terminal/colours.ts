// Colours, or none at all.

type Brush = (text: string) => string;

export interface Paint {
  readonly bold: Brush;
  readonly dim: Brush;
  readonly green: Brush;
  readonly yellow: Brush;
  readonly red: Brush;
}

/** With `colour` false every brush leaves the text as it is. */
export function paintOf(colour: boolean): Paint {
  const brush =
    (on: number, off: number): Brush =>
    (text) =>
      colour && text !== "" ? `\u001b[${on}m${text}\u001b[${off}m` : text;
  return {
    bold: brush(1, 22),
    dim: brush(2, 22),
    green: brush(32, 39),
    yellow: brush(33, 39),
    red: brush(31, 39),
  };
}
