// How much of one window of an account was used in each hour of the past, learned from its figures. Figures are whole
// percents from several sources, so they repeat, arrive late, and fall by a point or two; a window that has been reset
// begins at 0 again.

import { USUAL_SECONDS, type WindowKind } from "../windows.ts";

/** One window of an account at one moment. */
export interface MeterFigure {
  readonly kind: WindowKind;
  /** 0..100. */
  readonly usedPercent: number;
  /** When the window resets, Unix ms; undefined if unknown. */
  readonly resetAtMs: number | undefined;
  /** Length of the window in seconds; undefined if unknown: the usual one. */
  readonly windowSeconds: number | undefined;
  /** When this was true, Unix ms. */
  readonly asOfMs: number;
  /** The account's plan; "" if unknown. */
  readonly plan: string;
  /** True if the account can serve now, without credits. If not, its windows say nothing about the demand. */
  readonly serves: boolean;
}

/** What is known about single hours, by hours since the Unix epoch. */
export interface HourlyUse {
  /** Percentage points used in each hour. Hours without use are absent. */
  readonly points: ReadonlyMap<number, number>;
  /** For which share of an hour the account could not serve, 0..1. Hours in which it always could are absent. */
  readonly closed: ReadonlyMap<number, number>;
}

/** What is known about the use of one window. */
export interface MeterHistory extends HourlyUse {
  /** Percent of another plan are other amounts, so a history belongs to one plan. "" if it is unknown. */
  readonly plan: string;
  /** From when on the use is known, Unix ms. */
  readonly sinceMs: number;
  /** The last figure: the highest of its window, its reset, and when it was true. */
  readonly usedPercent: number;
  readonly resetAtMs: number | undefined;
  readonly asOfMs: number;
  /** Since when figures have been lower than `usedPercent` without a reset, Unix ms; undefined if they are not. */
  readonly lowerSinceMs: number | undefined;
  /** Up to when the time without service is counted, Unix ms; undefined while the account can serve. */
  readonly closedMs: number | undefined;
}

export const HOUR_MS = 3_600_000;

/** How long a history is kept: enough days to know how they differ, few enough to follow new habits. */
export const HISTORY_MS = 28 * 24 * HOUR_MS;

/**
 * `history` after `figure`; the same object if nothing changes. Without a history, the use since the window began is
 * spread evenly over the time since then. `nowMs`: the current time; later parts of the history are from before the
 * clock was set back, and are dropped.
 */
export function observed(
  history: MeterHistory | undefined,
  figure: MeterFigure,
  nowMs: number,
): MeterHistory {
  if (history === undefined) return firstHistory(figure, nowMs);
  const known = history.asOfMs > nowMs ? withoutFuture(history, figure, nowMs) : history;
  return withFigure(withService(known, figure.serves, nowMs), figure, nowMs);
}

// --- internal ---

/** Figures of different sources differ by so many points without meaning. */
const NOISE_POINTS = 2;
/** Lower figures are believed after this time: a late figure of another source has been replaced by then. */
const LOWER_MS = 15 * 60_000;
/** A reset that moves by less than this share of its window is the same one. */
const SAME_RESET_SHARE = 0.05;

function withFigure(before: MeterHistory, figure: MeterFigure, nowMs: number): MeterHistory {
  if (figure.asOfMs < before.asOfMs || figure.asOfMs > nowMs) return before;
  if (isNextWindow(before, figure)) {
    const began = beginOf(figure) ?? before.resetAtMs ?? before.asOfMs;
    return used(before, figure, figure.usedPercent, Math.max(began, before.asOfMs), nowMs);
  }
  if (figure.usedPercent < before.usedPercent - NOISE_POINTS) return lowered(before, figure);
  const more = Math.max(0, figure.usedPercent - before.usedPercent);
  if (more === 0 && figure.asOfMs === before.asOfMs && figure.resetAtMs === before.resetAtMs) return before;
  return used(before, { ...figure, usedPercent: before.usedPercent + more }, more, before.asOfMs, nowMs);
}

function firstHistory(figure: MeterFigure, nowMs: number): MeterHistory {
  const { plan, usedPercent, resetAtMs, asOfMs, serves } = figure;
  const sinceMs = Math.max(Math.min(beginOf(figure) ?? asOfMs, asOfMs), nowMs - HISTORY_MS);
  const points = new Map<number, number>();
  if (sinceMs < asOfMs) spread(points, usedPercent, sinceMs, asOfMs);
  const closedMs = serves ? undefined : nowMs;
  const mark = { usedPercent, resetAtMs, asOfMs, lowerSinceMs: undefined, closedMs };
  return { plan, sinceMs, ...mark, points, closed: new Map() };
}

/** Counts the time since the last look in which the account could not serve. */
function withService(before: MeterHistory, serves: boolean, nowMs: number): MeterHistory {
  const { closedMs } = before;
  if (closedMs === undefined) return serves ? before : { ...before, closedMs: nowMs };
  const closed = kept(before.closed, nowMs);
  const fromMs = Math.max(closedMs, nowMs - HISTORY_MS);
  if (fromMs < nowMs) spread(closed, (nowMs - fromMs) / HOUR_MS, fromMs, nowMs);
  return { ...before, closed, closedMs: serves ? undefined : nowMs };
}

/** When the window of `figure` began, Unix ms; undefined if its reset is unknown. */
function beginOf({ resetAtMs, windowSeconds, kind }: MeterFigure): number | undefined {
  return resetAtMs === undefined ? undefined : resetAtMs - lengthMs(windowSeconds, kind);
}

function lengthMs(windowSeconds: number | undefined, kind: WindowKind): number {
  return (windowSeconds ?? USUAL_SECONDS[kind]) * 1000;
}

/** True if `figure` is one of a window that began after `before`: at its reset, or at an earlier one of the backend. */
function isNextWindow(before: MeterHistory, { asOfMs, usedPercent, ...figure }: MeterFigure): boolean {
  const { resetAtMs } = before;
  if (resetAtMs !== undefined && asOfMs >= resetAtMs) return true;
  if (usedPercent >= before.usedPercent - NOISE_POINTS) return false;
  if (resetAtMs === undefined || figure.resetAtMs === undefined) return false;
  const tolerance = lengthMs(figure.windowSeconds, figure.kind) * SAME_RESET_SHARE;
  return figure.resetAtMs > resetAtMs + tolerance;
}

/** Counts `more` points as used between `fromMs` and `figure`, which is the last one from now on. */
function used(
  before: MeterHistory,
  { usedPercent, resetAtMs, asOfMs }: MeterFigure,
  more: number,
  fromMs: number,
  nowMs: number,
): MeterHistory {
  const known = {
    ...before,
    usedPercent,
    resetAtMs: resetAtMs ?? before.resetAtMs,
    asOfMs,
    lowerSinceMs: undefined,
  };
  if (more <= 0) return known;
  const points = kept(before.points, nowMs);
  const keptMs = nowMs - HISTORY_MS;
  spread(points, more, Math.max(Math.min(fromMs, asOfMs), keptMs), asOfMs);
  return { ...known, sinceMs: Math.max(before.sinceMs, keptMs), points };
}

/** A lower figure without a new reset: late, a correction, or a reset that the backend does not show. */
function lowered(before: MeterHistory, { usedPercent, resetAtMs, asOfMs }: MeterFigure): MeterHistory {
  const { lowerSinceMs = asOfMs } = before;
  if (asOfMs - lowerSinceMs < LOWER_MS) return { ...before, asOfMs, lowerSinceMs };
  return {
    ...before,
    usedPercent,
    resetAtMs: resetAtMs ?? before.resetAtMs,
    asOfMs,
    lowerSinceMs: undefined,
  };
}

/** A copy of `hours` without those that are too old. */
function kept(hours: ReadonlyMap<number, number>, nowMs: number): Map<number, number> {
  return new Map([...hours].filter(([hour]) => hour * HOUR_MS >= nowMs - HISTORY_MS));
}

/** Adds `amount` to the hours between `fromMs` and `toMs`, evenly. */
function spread(hours: Map<number, number>, amount: number, fromMs: number, toMs: number): void {
  const first = Math.floor(fromMs / HOUR_MS);
  const last = Math.floor(toMs / HOUR_MS);
  for (let hour = first; hour <= last; hour++) {
    const within = Math.min(toMs, (hour + 1) * HOUR_MS) - Math.max(fromMs, hour * HOUR_MS);
    const share = toMs === fromMs ? 1 : within / (toMs - fromMs);
    if (share > 0) hours.set(hour, (hours.get(hour) ?? 0) + amount * share);
  }
}

/** The part of `history` that is not in the future, continued from `figure`. */
function withoutFuture(history: MeterHistory, figure: MeterFigure, nowMs: number): MeterHistory {
  const { usedPercent, resetAtMs, asOfMs } = figure;
  const past = (hours: ReadonlyMap<number, number>) =>
    new Map([...hours].filter(([hour]) => hour * HOUR_MS <= nowMs));
  return {
    ...history,
    sinceMs: Math.min(history.sinceMs, asOfMs),
    usedPercent,
    resetAtMs,
    asOfMs,
    lowerSinceMs: undefined,
    closedMs: undefined,
    points: past(history.points),
    closed: past(history.closed),
  };
}
