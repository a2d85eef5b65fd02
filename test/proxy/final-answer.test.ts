import { describe, expect, test } from "bun:test";
import type { Verdict } from "../../src/core/verdict.ts";
import {
  answerAfterOutput,
  answerHandOver,
  answerHandshake,
  answerMessage,
  answerRequest,
  type LastAnswer,
} from "../../src/proxy/turn/final-answer.ts";
import type { Shortage } from "../../src/upstream/shortage.ts";

const shortage = (kind: Shortage["kind"], more: Partial<Shortage> = {}): Shortage => ({
  kind,
  untilMs: undefined,
  coolingUntilMs: undefined,
  disabled: 0,
  ofAccounts: true,
  disabledByOperator: [],
  keptBack: [],
  atCap: [],
  details: [],
  ...more,
});
const TRIED = shortage("all_tried");
const EXHAUSTED = shortage("all_exhausted");
const FULL = shortage("all_full");
const DISABLED = shortage("all_disabled");
const NONE = shortage("no_accounts");

const COOL: Verdict = { kind: "cool", reason: "http-500", forMs: 1, isTimed: false };
const COOL_NAMED: Verdict = { ...COOL, isTimed: true };
const ELSEWHERE: Verdict = { kind: "elsewhere", reason: "http-404" };
const LIMIT: Verdict = { kind: "limit", untilMs: undefined };
const FOREIGN: Verdict = { kind: "foreign_ciphertext" };
const DISABLE: Verdict = { kind: "disable", reason: "http-401" };
const RENEW: Verdict = { kind: "renew", status: 401 };

const response = (verdict: Verdict, status = 500): LastAnswer => ({ verdict, status, form: "response" });
const event = (verdict: Verdict, status?: number): LastAnswer => ({ verdict, status, form: "event" });

describe("a request that no upstream served", () => {
  test.each<[string, LastAnswer | undefined, Shortage, boolean, string]>([
    ["without any reply", undefined, TRIED, true, "refusal"],
    ["a passing failure of all", response(COOL), TRIED, true, "as_received"],
    ["a passing failure while others are exhausted", response(COOL), EXHAUSTED, true, "refusal"],
    ["a passing failure outside the turn paths", response(COOL), EXHAUSTED, false, "as_received"],
    ["a model that all accounts refused", response(ELSEWHERE, 404), TRIED, true, "as_received"],
    ["a limit", response(LIMIT, 429), TRIED, true, "refusal"],
    ["a passing failure while others are full", response(COOL), FULL, true, "refusal"],
    ["a history that a full account may be able to read", response(FOREIGN, 400), FULL, true, "refusal"],
    ["a rejected login", response(DISABLE, 401), TRIED, true, "refusal"],
    ["a 401 of a child proxy", response(ELSEWHERE, 401), TRIED, true, "refusal"],
    ["a history that no account can read", response(FOREIGN, 400), TRIED, true, "as_received"],
    [
      "a history that a cooling account may be able to read",
      response(FOREIGN, 400),
      shortage("all_tried", { untilMs: 5 }),
      true,
      "refusal",
    ],
    [
      "a history that a disabled account may be able to read",
      response(FOREIGN, 400),
      shortage("all_tried", { disabled: 1 }),
      true,
      "refusal",
    ],
  ])("after %s", (_what, last, lack, spends, answer) => {
    expect(answerRequest({ shortage: lack, last }, spends)).toBe(answer as "refusal");
  });
});

describe("a turn on a WebSocket that no account served", () => {
  test.each<[string, LastAnswer | undefined, Shortage, string]>([
    ["a failure event that names a time", event(COOL_NAMED), TRIED, "as_received"],
    ["a failure event without a time", event(COOL), TRIED, "refusal"],
    ["a refused dial that names a time", response(COOL_NAMED, 503), TRIED, "refusal"],
    ["a model that all accounts refused", event(ELSEWHERE), TRIED, "as_received"],
    ["a 401 event of a child proxy", event(ELSEWHERE, 401), TRIED, "refusal"],
    ["a history that no account can read", event(FOREIGN), TRIED, "as_received"],
    ["a failure while others are exhausted", event(ELSEWHERE), EXHAUSTED, "refusal"],
    ["a limit", event(LIMIT, 429), EXHAUSTED, "refusal"],
    ["no account", undefined, NONE, "refusal"],
  ])("after %s", (_what, last, lack, answer) => {
    expect(answerMessage({ shortage: lack, last })).toBe(answer as "refusal");
  });
});

describe("a turn on a WebSocket that only the client can give to another account", () => {
  test.each<[string, Shortage, boolean, boolean, string]>([
    ["asks for a reconnect", TRIED, false, true, "reconnect"],
    ["does not ask for one if every account is exhausted", EXHAUSTED, false, true, "refusal"],
    ["does not ask for one if every account is disabled", DISABLED, false, false, "refusal"],
    ["forwards the failure after too many reconnects", TRIED, true, true, "as_received"],
    ["cuts the connection if there is no failure to forward", TRIED, true, false, "cut"],
  ])("%s", (_what, lack, tooManyHandovers, hasEvent, answer) => {
    expect(answerHandOver(lack, { tooManyHandovers, hasEvent })).toBe(answer as "cut");
  });
});

describe("a handshake that no upstream took", () => {
  const limits = (...reached: boolean[]) => ({
    additional: reached.map((isReached) => ({ reached: isReached })) as never,
  });
  test.each<[string, Shortage, string, ReturnType<typeof limits>, string]>([
    ["is refused at a limit", EXHAUSTED, "usage_limit_reached", limits(true), "refusal"],
    [
      "goes to HTTP if another limit has room",
      EXHAUSTED,
      "usage_limit_reached",
      limits(true, false),
      "main_limit_only",
    ],
    ["is refused without accounts", NONE, "no_accounts", limits(), "refusal"],
    ["goes to HTTP after any other failure", TRIED, "upstream_unreachable", limits(), "no_websocket"],
  ])("%s", (_what, lack, code, usage, answer) => {
    expect(answerHandshake(lack, code, usage)).toBe(answer as "refusal");
  });
});

describe("a turn that fails after output", () => {
  test.each<[string, Verdict, boolean, "pass" | "cut"]>([
    ["at a limit, with room elsewhere", LIMIT, true, "cut"],
    ["at a limit, with no room elsewhere", LIMIT, false, "pass"],
    ["for a rejected login, with no room elsewhere", DISABLE, false, "pass"],
    ["for a moment", COOL, false, "cut"],
    ["for a time that the event names, with no room elsewhere", COOL_NAMED, false, "pass"],
    ["for a time that the event names, with room elsewhere", COOL_NAMED, true, "cut"],
    ["for an expired token", RENEW, false, "cut"],
    ["because of the request itself", { kind: "client" }, true, "pass"],
  ])("%s", (_what, verdict, canLeave, answer) => {
    expect(answerAfterOutput(verdict, () => canLeave)).toBe(answer);
  });
});
