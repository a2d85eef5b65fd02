// The windows of a limit. The backend sends at most two, `primary` and `secondary`, and says how long each lasts. A
// weekly window may be in either place, so the length decides the kind of a window. The place matters only if the
// length is missing.

export const WINDOW_KINDS = ["short", "weekly", "monthly"] as const;

/** `short`: about five hours. `weekly`: seven days. `monthly`: thirty days. */
export type WindowKind = (typeof WINDOW_KINDS)[number];

/** The position of a window on the wire. */
export type WindowSlot = "primary" | "secondary";

/** At most one value for each kind of window. */
export type ByWindow<Value> = { readonly [Kind in WindowKind]: Value | undefined };

/** How long the windows of each kind usually last, in seconds. */
export const USUAL_SECONDS: Readonly<Record<WindowKind, number>> = {
  short: 18_000,
  weekly: 604_800,
  monthly: 2_592_000,
};

export const NO_WINDOWS: ByWindow<never> = { short: undefined, weekly: undefined, monthly: undefined };

/** The kind of a window that lasts `seconds`. Without a length, the kind that its position usually has. */
export function windowKind(seconds: number | undefined, slot: WindowSlot): WindowKind {
  if (seconds === undefined) return slot === "primary" ? "short" : "weekly";
  if (seconds <= LONGEST_SHORT_SECONDS) return "short";
  return seconds <= LONGEST_WEEKLY_SECONDS ? "weekly" : "monthly";
}

/** Two windows from the wire by kind. If both are of one kind, the longer one counts as the next longer kind. */
export function byKind<Window extends { readonly windowSeconds: number | undefined }>(
  primary: Window | undefined,
  secondary: Window | undefined,
): ByWindow<Window> {
  const first = primary && windowKind(primary.windowSeconds, "primary");
  const second = secondary && windowKind(secondary.windowSeconds, "secondary");
  if (first === undefined || first !== second)
    return {
      ...NO_WINDOWS,
      ...(first === undefined ? {} : { [first]: primary }),
      ...(second === undefined ? {} : { [second]: secondary }),
    };
  const isSwapped = (primary?.windowSeconds ?? 0) > (secondary?.windowSeconds ?? Number.POSITIVE_INFINITY);
  const [shorter, longer] = isSwapped ? [secondary, primary] : [primary, secondary];
  return first === "short"
    ? { ...NO_WINDOWS, short: shorter, weekly: longer }
    : { ...NO_WINDOWS, weekly: shorter, monthly: longer };
}

/** The values present, shortest window first. */
export function presentOf<Value>(windows: ByWindow<Value>): Value[] {
  return WINDOW_KINDS.map((kind) => windows[kind]).filter((value) => value !== undefined);
}

/**
 * The values for the two positions of a limit in the Go program's schema: the short window, and the weekly or else the
 * monthly window.
 */
export function goSlots<Value>({ short, weekly, monthly }: ByWindow<Value>): {
  readonly primary: Value | undefined;
  readonly secondary: Value | undefined;
} {
  return { primary: short, secondary: weekly ?? monthly };
}

/** Maps each present value of `windows`. */
export function mapWindows<From, To>(
  windows: ByWindow<From>,
  replace: (value: From, kind: WindowKind) => To | undefined,
): ByWindow<To> {
  const of = (kind: WindowKind): To | undefined => {
    const value = windows[kind];
    return value === undefined ? undefined : replace(value, kind);
  };
  return { short: of("short"), weekly: of("weekly"), monthly: of("monthly") };
}

// --- internal ---

const LONGEST_SHORT_SECONDS = 2 * 86_400;
const LONGEST_WEEKLY_SECONDS = 14 * 86_400;
