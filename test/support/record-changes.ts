// Random changes to an account's record, for tests that compare cached values with values computed from scratch.

import fc from "fast-check";
import type { Quota, QuotaWindow } from "../../src/core/quota.ts";
import { mapWindows } from "../../src/core/windows.ts";
import type { AccountRecord } from "../../src/state/account-record.ts";
import * as changes from "../../src/state/record-changes.ts";
import * as figures from "../../src/state/record-figures.ts";
import { evidence, HOUR_MS, NOW } from "./evidence.ts";

/** Changes a record at the time of the view. */
export type RecordChange = (record: AccountRecord, view: figures.FiguresView) => void;

/** `quota` as the backend would report it again `laterMs` later. */
export function repeated(quota: Quota, laterMs: number): Quota {
  const window = (one: QuotaWindow) => ({ ...one, asOfMs: one.asOfMs + laterMs });
  const limit = (one: Quota["main"]) => ({
    ...one,
    windows: mapWindows(one.windows, window),
    completeAsOfMs: one.completeAsOfMs && one.completeAsOfMs + laterMs,
  });
  const { credits } = quota.spending;
  return {
    ...quota,
    main: limit(quota.main),
    additional: quota.additional.map(limit),
    spending: { ...quota.spending, credits: credits && { ...credits, asOfMs: credits.asOfMs + laterMs } },
  };
}

/** Ways in which a report about quota can differ, each in one field. */
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
/** Leaves a report as it is, or changes one field. */
export const difference = fc.constantFrom((quota: Quota) => quota, ...DIFFERENCES);

/** Any change that `state/record-changes.ts` and `state/record-figures.ts` can make. */
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
    (record, { nowMs }) => figures.noteSync(record, nowMs, 3),
    (record) => changes.noteSwitch(record, "http-500"),
    (record) => figures.noteSight(record, true),
    (record) => figures.noteSight(record, false),
    (record) => changes.setOutboundProxy(record, "http://proxy.example:3128"),
    (record) => changes.setOptions(record, { floorDaily: 50, floorWeekly: 10, tags: ["work"] }),
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
        apiBaseUrl: undefined,
        mark: "mark",
      }),
    changes.forgetIdentity,
  ),
  evidence.map(
    (quota): RecordChange =>
      (record, view) =>
        figures.learn(record, quota, view),
  ),
  evidence.map(
    (quota): RecordChange =>
      (record) =>
        figures.learnRefusal(record, quota),
  ),
  {
    weight: 3,
    arbitrary: fc.tuple(fc.nat(HOUR_MS), difference).map(
      ([laterMs, differ]): RecordChange =>
        (record, view) => {
          figures.learn(record, differ(repeated(record.quota, laterMs)), view);
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
