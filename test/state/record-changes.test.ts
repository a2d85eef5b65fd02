import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { newAccount, type UpstreamRecord } from "../../src/state/account-record.ts";
import {
  beginUse,
  changeHealth,
  countTurn,
  disableByOperator,
  drain,
  enable,
  restore,
} from "../../src/state/record-changes.ts";
import { collectChanges } from "../../src/state/record-writes.ts";
import { type EncodedAccounts, encodeStore } from "../../src/state/store-encode.ts";
import type { StoreState } from "../../src/state/store-state.ts";
import { HOUR_MS, NOW } from "../support/evidence.ts";
import { recordChange } from "../support/record-changes.ts";

const fault = { kind: "cool", cause: "fault", reason: "http-503", atMs: 1, untilMs: 9 } as const;

describe("every change of a record", () => {
  test("raises its revision and is collected", () =>
    fc.assert(
      fc.property(fc.array(recordChange, { maxLength: 20 }), (changes) => {
        const record = newAccount("a", "/a");
        const changed = new Set<UpstreamRecord>();
        collectChanges(record, changed);
        for (const change of changes) {
          changed.clear();
          const { revision, ...before } = record;
          change(record, { nowMs: NOW, ttlMs: HOUR_MS, useCredits: true });
          const { revision: after, ...now } = record;
          if (after === revision) expect(now).toEqual(before);
          else expect([after > revision, changed.has(record)]).toEqual([true, true]);
        }
      }),
    ));

  test("is in the next text of the store, although texts of unchanged accounts are kept", () =>
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(2), recordChange), { maxLength: 20 }), (changes) => {
        const accounts = ["a", "b", "c"].map((alias) => newAccount(alias, `/${alias}`));
        const state: StoreState = {
          accounts,
          activeId: undefined,
          pinnedId: undefined,
          messageCounter: 0,
          lastRotationMs: 0,
        };
        const kept: EncodedAccounts = new WeakMap();
        for (const [index, change] of changes) {
          const record = accounts[index];
          if (record !== undefined) change(record, { nowMs: NOW, ttlMs: HOUR_MS, useCredits: true });
          expect(encodeStore(state, "https://x", NOW, kept)).toBe(encodeStore(state, "https://x", NOW));
        }
      }),
    ));
});

describe("the slow start of a record", () => {
  test("begins with a cooldown and widens with each turn", () => {
    const record = newAccount("a", "/a");
    changeHealth(record, fault);
    expect(record.ramp).toBe(1);
    countTurn(record, 0);
    expect([record.ramp, record.health.kind]).toEqual([2, "cooling"]);
    countTurn(record, 2);
    expect([record.ramp, record.health.kind]).toEqual([4, "healthy"]);
  });

  test("ends when the operator enables a disabled account", () => {
    const record = newAccount("a", "/a");
    changeHealth(record, fault);
    disableByOperator(record, 5);
    expect(record.ramp).toBe(1);
    enable(record);
    expect([record.ramp, record.health.kind]).toEqual([undefined, "healthy"]);
  });
});

test("restoring a copy brings the record's values back, with a new revision", () => {
  const record = newAccount("a", "/a");
  beginUse(record);
  const before = { ...record };
  drain(record);
  disableByOperator(record, 5);
  restore(record, before);
  const { revision, figuresRevision, ...now } = record;
  const { revision: formerRevision, figuresRevision: formerFigures, ...former } = before;
  expect(now).toEqual(former);
  expect([revision > formerRevision, figuresRevision > formerFigures]).toEqual([true, true]);
});
