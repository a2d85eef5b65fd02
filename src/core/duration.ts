// Durations as people write them in flags and settings: in Go's syntax, with days and weeks.

/**
 * `500ms`, `3s`, `10m`, `1h30m`, `2d` or `1w` in ms; 0 for a negative one. A day has 24 hours. Undefined if `value` is not
 * a duration.
 */
export function durationOf(value: string): number | undefined {
  const [, sign = "", text = ""] = /^([+-]?)(.*)$/s.exec(value.trim()) ?? [];
  if (text === "0") return 0;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join("") !== text) return undefined;
  const ms = parts.reduce((sum, part) => sum + Number(part[1]) * (UNITS_MS[part[2] ?? ""] ?? 0), 0);
  return sign === "-" ? 0 : ms;
}

/** `ms` as `durationOf` reads it, in whole seconds: `8h`, `1h30m`, `10s`. */
export function flagDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const parts = [
    [Math.floor(seconds / 3_600), "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ] as const;
  const shown = parts.filter(([count]) => count > 0).map(([count, unit]) => `${count}${unit}`);
  return shown.length === 0 ? "0s" : shown.join("");
}

// --- internal ---

const DAY_MS = 24 * 3_600_000;
const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: DAY_MS,
  w: 7 * DAY_MS,
};
