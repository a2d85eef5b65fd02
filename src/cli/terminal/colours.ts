// Colours for text on a terminal.

type Brush = (text: string) => string;

/** Brushes that colour a text. */
export interface Paint {
  readonly bold: Brush;
  readonly dim: Brush;
  readonly green: Brush;
  readonly yellow: Brush;
  readonly red: Brush;
  /** Swaps foreground and background. */
  readonly reverse: Brush;
}

/** Returns the brushes. If `colour` is false, they return the text unchanged. */
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
    reverse: brush(7, 27),
  };
}
