// Random changes of a record, for tests that compare what is kept of it with what is computed from scratch.

import fc from "fast-check";
import type { Quota, QuotaWindow } from "../../src/core/quota.ts";
import { mapWindows } from "../../src/core/windows.ts";
import type { AccountRecord } from "../../src/state/account-record.ts";
import * as changes from "../../src/state/record-changes.ts";
import { evidence, HOUR_MS, NOW } from "./evidence.ts";

/** Changes a record at the time of the view. */
export type RecordChange = (record: AccountRecord, view: changes.FiguresView) => void;

/** `told` as it would be said again `laterMs` later. */
export function repeated(told: Quota, laterMs: number): Quota {
  const window = (one: QuotaWindow) => ({ ...one, asOfMs: one.asOfMs + laterMs });
  const limit = (one: Quota["main"]) => ({
    ...one,
    windows: mapWindows(one.windows, window),
    completeAsOfMs: one.completeAsOfMs && one.completeAsOfMs + laterMs,
  });
  const { credits } = told.spending;
  return {
    ...told,
    main: limit(told.main),
    additional: told.additional.map(limit),
    spending: { ...told.spending, credits: credits && { ...credits, asOfMs: credits.asOfMs + laterMs } },
  };
}

/** Changes that make something else of figures, one at a time. */
const DIFFERENCES: readonly ((quota: Quota) => Quota)[] = [
  ...[
    { usedPercent: 55 },
    { resetAtMs: NOW + HOUR_MS / 2 },
    { resetAtMs: undefined },
    { windowSeconds: 7 },
  ].map((other) => (quota: Quota) => {
    const windows = mapWindows(quota.main.windows, (window) => ({ ...window, ...other }));
    return { ...quota, main: { ...quota.main, windows } };
  }),
  (quota) => ({ ...quota, main: { ...quota.main, completeAsOfMs: NOW + 2 * HOUR_MS } }),
  (quota) => ({ ...quota, main: { ...quota.main, windows: { ...quota.main.windows, weekly: undefined } } }),
  (quota) => ({ ...quota, additional: quota.additional.map((limit) => ({ ...limit, model: "other" })) }),
  (quota) => {
    const { credits } = quota.spending;
    const value = credits && { ...credits.value, hasCredits: !credits.value.hasCredits };
    return { ...quota, spending: { ...quota.spending, credits: value && { ...credits, value } } };
  },
];
/** Makes nothing else of figures, or one thing. */
export const difference = fc.constantFrom((quota: Quota) => quota, ...DIFFERENCES);

/** Every change that a record has. */
export const recordChange: fc.Arbitrary<RecordChange> = fc.oneof(
  fc.constantFrom<RecordChange>(
    changes.beginUse,
    (record) => {
      if (record.inFlight > 0) changes.endUse(record);
    },
    changes.enable,
    changes.drain,
    (record, { nowMs }) => changes.disableByOperator(record, nowMs),
    (record, { nowMs }) => changes.countTurn(record, nowMs),
    (record, { nowMs }) => changes.countServed(record, nowMs, "sticky"),
    (record, { nowMs }) => changes.makePlausible(record, nowMs),
    (record, { nowMs }) => changes.setBack(record, HOUR_MS / 2, nowMs),
    (record, { nowMs }) => changes.noteSync(record, nowMs, 3),
    (record) => changes.noteSwitch(record, "http-500"),
    (record) => changes.noteSight(record, true),
    (record) => changes.noteSight(record, false),
    (record) => changes.setOutboundProxy(record, "http://proxy.example:3128"),
    (record) => changes.retireLogin(record, "http-401"),
    (record, { nowMs }) =>
      void changes.changeHealth(record, { kind: "disable", reason: "http-401", atMs: nowMs }),
    (record) => void changes.changeHealth(record, { kind: "renewed" }),
    (record, { nowMs }) => {
      const before = { ...record };
      changes.drain(record);
      changes.changeHealth(record, { kind: "disable", reason: "x", atMs: nowMs });
      changes.restore(record, before);
    },
    (record) =>
      changes.identify(record, {
        accountId: "account",
        userId: "user",
        email: "a@example.com",
        planType: "plus",
        mark: "mark",
      }),
    changes.forgetIdentity,
  ),
  evidence.map(
    (told): RecordChange =>
      (record, view) =>
        changes.learn(record, told, view),
  ),
  evidence.map(
    (told): RecordChange =>
      (record) =>
        changes.learnRefusal(record, told),
  ),
  {
    weight: 3,
    arbitrary: fc.tuple(fc.nat(HOUR_MS), difference).map(
      ([laterMs, differ]): RecordChange =>
        (record, view) => {
          changes.learn(record, differ(repeated(record.quota, laterMs)), view);
        },
    ),
  },
  fc.record({ cause: fc.constantFrom("limit" as const, "fault" as const), forMs: fc.nat(HOUR_MS) }).map(
    ({ cause, forMs }): RecordChange =>
      (record, { nowMs }) => {
        const untilMs = nowMs + forMs;
        changes.changeHealth(record, { kind: "cool", cause, reason: "r", atMs: nowMs, untilMs });
      },
  ),
);
