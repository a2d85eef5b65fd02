import { describe, expect, test } from "bun:test";
import type { ChoiceReason } from "../../src/core/policy.ts";
import type { Verdict } from "../../src/core/verdict.ts";
import { attempt } from "../../src/proxy/attempts.ts";
import type { IncomingRequest, ProxyContext } from "../../src/proxy/context.ts";
import { createExchange } from "../../src/proxy/exchange.ts";
import { createRetryBudget, type RetryBudget } from "../../src/proxy/retry-budget.ts";
import type { Lease } from "../../src/upstream/leases.ts";
import { fakeClock } from "../support/clock.ts";
import { outcome } from "../support/outcome.ts";

/** No turn waits for a slot. */
const NO_SLOTS = { serve: () => {}, wait: async () => "none" as const };

const COOL: Verdict = { kind: "cool", reason: "http-500", forMs: 1, isTimed: false };
const LIMIT: Verdict = { kind: "limit", untilMs: undefined };
const OK: Verdict = { kind: "ok" };
const FOREIGN: Verdict = { kind: "foreign_ciphertext" };

interface Settled {
  readonly name: string;
  readonly verdict: Verdict;
  readonly held: boolean | undefined;
}

/** Accounts that are tried in order. Each returns a verdict, breaks, or throws an unexpected error. */
async function run(
  answers: readonly (Verdict | "broken" | "unpreparable" | "throws")[],
  {
    reason = "usage-stay",
    retries = UNLIMITED,
    replayable = true,
    maxAttempts = 3,
    released = [],
  }: {
    reason?: ChoiceReason;
    retries?: RetryBudget;
    replayable?: boolean;
    maxAttempts?: number;
    released?: string[];
  } = {},
) {
  const settled: Settled[] = [];
  const events: string[] = [];
  const ends: string[] = [];
  let next = 0;
  const pick = (): Lease | undefined => {
    if (next >= answers.length) return undefined;
    const name = String(next++);
    return {
      upstream: {
        id: name,
        label: name,
        kind: "account",
        named: { account_id: name },
        where: "the backend",
        prepare: async () => {
          if (answers[Number(name)] === "unpreparable") throw new TypeError("a header has an invalid value");
          return { kind: "ready", url: "", headers: new Headers(), token: "t" };
        },
        renew: async () => ({ kind: "failed", why: "x" }),
      },
      choice: { id: name, reason, switched: false },
      settle: (verdict: Verdict, about?: { held?: boolean }) =>
        void settled.push({ name, verdict, held: about?.held }),
      learn: () => {},
      release: () => void released.push(name),
    } as unknown as Lease;
  };
  const log = { append: (event: string) => void events.push(event), flush: () => {} };
  const context = {
    deps: { log: { info: () => {} } },
    pool: { pick, isFull: () => false },
    events: log,
    counts: { attempt: (_purpose: string, end: string, id: string) => void ends.push(`${id} ${end}`) },
    settings: () => ({ maxAttempts, cooldownMs: 1 }),
    self: () => ({ id: "self" }),
  } as unknown as ProxyContext;
  const incoming = {
    requestId: 1,
    path: "/responses",
    search: "",
    hops: [],
    request: new Request("http://localhost/responses"),
    noteTurn: () => {},
  } as unknown as IncomingRequest;
  const exchange = createExchange(context, incoming, {
    session: undefined,
    model: undefined,
    method: "POST",
    spends: true,
    isMessage: true,
    isReplayable: replayable,
  });
  const outcome = await attempt<string>(
    { deps: { clock: fakeClock() }, slots: NO_SLOTS, retries, events: log },
    exchange,
    {
      send: async (_ready, lease) => {
        const answer = answers[Number(lease.upstream.id)] ?? OK;
        if (answer === "throws" || answer === "unpreparable") throw new Error("a bug");
        return answer === "broken"
          ? { kind: "broken", why: "reset" }
          : { kind: "reply", verdict: answer, reply: lease.upstream.id, evidence: undefined };
      },
      discard: () => {},
    },
  );
  const served = outcome.kind === "reply" ? outcome.reply : undefined;
  return { outcome, served, asked: next, settled, events, ends, released };
}

const UNLIMITED: RetryBudget = { begin: () => () => {} };

describe("a request", () => {
  test("goes to another account after limits, rejected logins and unreadable histories, as long as there is one", async () => {
    const disable: Verdict = { kind: "disable", reason: "http-401" };
    const { served, ends } = await run([LIMIT, disable, FOREIGN, LIMIT, COOL, "broken", OK]);
    expect(served).toBe("6");
    // Each attempt is counted once, in the terms of the table of verdicts.
    expect(ends).toEqual([
      "0 limit",
      "1 login_ended",
      "2 foreign_ciphertext",
      "3 limit",
      "4 cooldown",
      "5 connection",
      "6 served",
    ]);
  });

  test("gives up passing failures after max_attempts", async () => {
    const { outcome, asked } = await run([COOL, COOL, COOL, OK]);
    expect([outcome.kind, asked]).toEqual(["unserved", 3]);
    expect((await run([COOL, LIMIT, COOL, OK])).served).toBe("3");
  });

  test("that tried one account while all are cooling down does not try the next one", async () => {
    const { outcome, asked } = await run([COOL, OK], { reason: "least-bad" });
    expect([outcome.kind, asked]).toEqual(["unserved", 1]);
  });

  test("that is not idempotent is repeated only if the upstream has done nothing", async () => {
    expect((await run([COOL, OK], { replayable: false })).asked).toBe(1);
    expect((await run([LIMIT, OK], { replayable: false })).served).toBe("1");
  });

  test("whose history one account could not read stays with the account that can", async () => {
    const { settled } = await run([FOREIGN, OK]);
    expect(settled.at(-1)).toEqual({ name: "1", verdict: OK, held: true });
    expect((await run([LIMIT, OK])).settled.at(-1)?.held).toBe(false);
  });

  test("whose connections all break makes no account cool down; once one responds, the others do", async () => {
    expect((await run(["broken", "broken", "broken"])).settled).toEqual([]);
    const { settled } = await run(["broken", OK]);
    expect(settled.map(({ name, verdict }) => [name, verdict.kind])).toEqual([
      ["0", "cool"],
      ["1", "ok"],
    ]);
  });

  test("with a verdict that allows one more try tries one more account", async () => {
    const once: Verdict = { kind: "elsewhere", reason: "access_program_not_enabled", once: true };
    const { outcome, asked } = await run([once, once, OK]);
    expect([outcome.kind, asked]).toEqual(["unserved", 2]);
    expect((await run([once, OK])).served).toBe("1");
  });

  test("of an account that cannot be prepared moves on to the next account, and only that account cools down", async () => {
    const { outcome, settled, released } = await run(["unpreparable", OK]);
    expect(outcome.kind).toBe("reply");
    expect(settled.map(({ name, verdict }) => [name, verdict.kind])).toEqual([
      ["0", "cool"],
      ["1", "ok"],
    ]);
    expect(released).toEqual(["0"]);
  });

  test("that fails with an unexpected error still releases its lease", async () => {
    const released: string[] = [];
    expect(await outcome(run(["throws"], { released }))).toThrow("a bug");
    expect(released).toEqual(["0"]);
  });

  test("releases every lease but the one that serves", async () => {
    expect((await run([LIMIT, COOL, OK])).released).toEqual(["0", "1"]);
    expect((await run([COOL, COOL, COOL])).released).toEqual(["0", "1", "2"]);
  });
});

describe("the retry budget", () => {
  const settings = { percent: 25, floor: 2 };

  test("allows as many retries at a time as its floor, then a share of the requests in flight", () => {
    let inFlight = 4;
    const budget = createRetryBudget(
      () => settings,
      () => inFlight,
    );
    const first = budget.begin();
    expect([first, budget.begin()]).not.toContain(undefined);
    expect(budget.begin()).toBeUndefined();
    inFlight = 12;
    expect(budget.begin()).toBeDefined();
    expect(budget.begin()).toBeUndefined();
    first?.();
    first?.();
    expect(budget.begin()).toBeDefined();
    expect(budget.begin()).toBeUndefined();
  });

  test("ends requests with passing failures when it is exhausted, but not those with limits", async () => {
    const none: RetryBudget = { begin: () => undefined };
    const failed = await run([COOL, OK], { retries: none });
    expect([failed.outcome.kind, failed.asked]).toEqual(["unserved", 1]);
    expect(failed.events).toContain("request.retry_denied");
    expect((await run([LIMIT, FOREIGN, OK], { retries: none })).served).toBe("2");
  });

  test("is free again after a request has ended", async () => {
    const budget = createRetryBudget(
      () => ({ percent: 0, floor: 1 }),
      () => 1,
    );
    for (const answers of [[COOL, OK], [COOL, COOL, COOL], [COOL], ["broken" as const, LIMIT]])
      await run(answers, { retries: budget });
    expect(budget.begin()).toBeDefined();
  });
});
