// An account of a simulation: its limits, with windows that fill and are reset like the backend's, and its credits.

import {
  MAIN_LIMIT_ID,
  type QuotaEvidence,
  type QuotaSource,
  type QuotaWindow,
  UNKNOWN_QUOTA,
} from "../core/quota.ts";
import { type ByWindow, mapWindows, type WindowKind } from "../core/windows.ts";

export interface SimulatedWindow {
  readonly kind: WindowKind;
  readonly lengthMs: number;
  /** What can be spent in one window, in units of cost. */
  readonly limit: number;
  /** What has been spent of the current window. */
  readonly used: number;
  /** The end of the current window, Unix ms. Undefined: a window begins with the next use. */
  readonly endMs: number | undefined;
}

/** The separate limit of the model `model`. */
export interface SimulatedMeter {
  readonly model: string;
  readonly windows: readonly SimulatedWindow[];
}

export interface AccountSpec {
  readonly id: string;
  readonly plan: string;
  /** The windows of the main limit. */
  readonly windows: readonly SimulatedWindow[];
  /** Default: none. */
  readonly meters?: readonly SimulatedMeter[];
  /** What can be spent while a window is exhausted, in units of cost. Default 0. */
  readonly credits?: number;
}

export interface SimulatedAccount {
  readonly id: string;
  /** The unspent part of the longer windows of the main limit at their resets, in whole windows, and their number. */
  readonly wasted: { readonly left: number; readonly resets: number };
  /** Resets the windows that have ended at `nowMs`. */
  roll(nowMs: number): void;
  /** True if no window for `model` is exhausted. */
  hasQuota(model?: string): boolean;
  /** True if no window for `model` is exhausted according to the figures, which are whole percents. */
  showsQuota(model?: string): boolean;
  /** True if the backend would serve a turn for `model`: there is quota, or there are credits. */
  canServe(model?: string): boolean;
  /** What is left of the windows of the main limit that have this kind, 0..1, in whole percent as the backend reports it. */
  left(kind: WindowKind): number;
  /** Serves a turn for `model`: spends `cost` of its quota, or of the credits if a window is exhausted. */
  spend(cost: number, nowMs: number, model?: string): void;
  /** The account's quota as the backend reports it. */
  figures(nowMs: number, source: QuotaSource): QuotaEvidence;
  /** When all exhausted windows for `model` have been reset, Unix ms; 0 if none is exhausted. */
  roomMs(model?: string): number;
}

export function createSimulatedAccount({
  id,
  plan,
  windows,
  meters = [],
  credits = 0,
}: AccountSpec): SimulatedAccount {
  const main = windows.map((window): Window => ({ ...window }));
  const own = meters.map(({ model, windows: its }) => ({
    model,
    windows: its.map((window): Window => ({ ...window })),
  }));
  const all = [main, ...own.map((meter) => meter.windows)];
  const wasted = { left: 0, resets: 0 };
  let balance = credits;
  const windowsFor = (model: string | undefined): readonly Window[] =>
    own.find((meter) => meter.model === model)?.windows ?? main;
  const hasQuota = (model?: string) => !windowsFor(model).some(isExhausted);
  return {
    id,
    wasted,
    roll: (nowMs) => {
      for (const list of all)
        for (const window of list)
          while (window.endMs !== undefined && window.endMs <= nowMs) {
            if (list === main && window.kind !== "short") {
              wasted.left += Math.max(0, 1 - window.used / window.limit);
              wasted.resets++;
            }
            window.used = 0;
            window.endMs = window.kind === "short" ? undefined : window.endMs + window.lengthMs;
          }
    },
    hasQuota,
    showsQuota: (model) => windowsFor(model).every((window) => usedPercentOf(window) < 100),
    canServe: (model) => hasQuota(model) || balance > 0,
    left: (kind) => {
      const window = main.find((one) => one.kind === kind);
      return window === undefined ? 1 : (100 - usedPercentOf(window)) / 100;
    },
    spend: (cost, nowMs, model) => {
      if (!hasQuota(model)) {
        balance = Math.max(0, balance - cost);
        return;
      }
      for (const window of windowsFor(model)) {
        window.endMs ??= nowMs + window.lengthMs;
        window.used += cost;
      }
    },
    figures: (nowMs, source) => {
      const reported = (window: Window): QuotaWindow => ({
        usedPercent: usedPercentOf(window),
        // For a window that has not begun, the backend also reports a reset, one full window from now.
        resetAtMs: window.endMs ?? nowMs + window.lengthMs,
        windowSeconds: window.lengthMs / 1000,
        asOfMs: nowMs,
        source,
      });
      const limit = (limitId: string, list: readonly Window[]) => ({
        ...UNKNOWN_QUOTA.main,
        id: limitId,
        windows: mapWindows(ofKinds(list), reported),
        completeAsOfMs: nowMs,
      });
      return {
        ...UNKNOWN_QUOTA,
        planType: plan,
        main: limit(MAIN_LIMIT_ID, main),
        // The backend's id of a model's own limit is the model's name in another spelling.
        additional: own.map((meter) => ({ ...limit(meter.model, meter.windows), name: meter.model })),
        spending:
          credits === 0
            ? UNKNOWN_QUOTA.spending
            : {
                ...UNKNOWN_QUOTA.spending,
                credits: {
                  value: { hasCredits: balance > 0, unlimited: false, balance },
                  asOfMs: nowMs,
                },
              },
      };
    },
    roomMs: (model) =>
      Math.max(
        0,
        ...windowsFor(model)
          .filter(isExhausted)
          .map(({ endMs }) => endMs ?? 0),
      ),
  };
}

// --- internal ---

type Window = { -readonly [Key in keyof SimulatedWindow]: SimulatedWindow[Key] };

function ofKinds(windows: readonly Window[]): ByWindow<Window> {
  const of = (kind: WindowKind) => windows.find((window) => window.kind === kind);
  return { short: of("short"), weekly: of("weekly"), monthly: of("monthly") };
}

function isExhausted({ used, limit }: Window): boolean {
  return used >= limit;
}

function usedPercentOf({ used, limit }: Window): number {
  return Math.min(100, Math.round((used / limit) * 100));
}
