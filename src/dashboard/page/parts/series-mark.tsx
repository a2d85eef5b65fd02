// The fills of the series of a chart. Each has its own colour and its own pattern, so that the colour alone never
// distinguishes two of them.

/** The fill of the series with this rank. */
export function patternOf(rank: number): string {
  return `url(#series-${rank % FILLS.length})`;
}

/** The class with the colour of the series alone, for shapes that are too small for a pattern. */
export function colourOf(rank: number): string {
  return `series-${rank % FILLS.length}`;
}

/** The sign of a series in a legend or a table. */
export function SeriesMark({ rank }: { readonly rank: number }) {
  return (
    <svg class="series-mark" width="14" height="14" aria-hidden="true" focusable="false">
      <rect width="14" height="14" rx="3" fill={patternOf(rank)} />
    </svg>
  );
}

/** The definitions of the fills, which the page needs once. */
export function SeriesFills() {
  return (
    <svg class="hidden" width="0" height="0" aria-hidden="true" focusable="false">
      <defs>
        {FILLS.map(({ turn, path }, rank) => (
          <pattern
            key={path + String(turn)}
            id={`series-${rank}`}
            width="6"
            height="6"
            patternUnits="userSpaceOnUse"
            patternTransform={`rotate(${turn})`}
          >
            <rect class={colourOf(rank)} width="6" height="6" />
            <path class="hatch" d={path} />
          </pattern>
        ))}
      </defs>
    </svg>
  );
}

// --- internal ---

const LINE = "M0 0h6v2h-6z";

/** The patterns. `turn`: the angle of its lines, in degrees. The last pattern is for the groups without a series of their own. */
const FILLS = [
  { turn: 0, path: "" },
  { turn: 45, path: LINE },
  { turn: 0, path: "M1 1h2v2h-2z" },
  { turn: -45, path: LINE },
  { turn: 0, path: LINE },
  { turn: 45, path: `${LINE}M0 2v4h2v-4z` },
  { turn: 90, path: LINE },
  { turn: 45, path: "M1 1h2v2h-2z" },
] as const;
