import { describe, expect, test } from "bun:test";
import type { OptionValues } from "../../src/core/account-options.ts";
import { type QuotaEvidence, UNKNOWN_QUOTA } from "../../src/core/quota.ts";
import { NO_WINDOWS, USUAL_SECONDS, type WindowKind } from "../../src/core/windows.ts";
import { disableByOperator, drain, noteAnchors } from "../../src/state/record-changes.ts";
import {
  type AnchorPlanContext,
  type AnchorSettings,
  createAnchorPlan,
} from "../../src/upstream/anchor-plan.ts";
import { fakeClock } from "../support/clock.ts";
import { memoryPool } from "../support/memory-pool.ts";

const START_MS = new Date(2026, 0, 5, 6, 30).getTime();
const MINUTE_MS = 60_000;
const SETTINGS: AnchorSettings = {
  enabled: true,
  at: [{ hours: 7, minutes: 0 }],
  stagger: false,
  model: "small",
};

interface Figures {
  readonly usedShort?: number;
  readonly usedWeekly?: number;
  /** When the 5h window is reset, Unix ms. Default: it has not begun. */
  readonly resetAtMs?: number;
  readonly kinds?: readonly WindowKind[];
}

interface WorldOptions {
  readonly aliases?: readonly string[];
  readonly settings?: Partial<AnchorSettings>;
  readonly fileOptions?: Readonly<Record<string, OptionValues>>;
  readonly offers?: AnchorPlanContext["offers"];
}

/** A plan over accounts whose figures the test reports. */
function world({ aliases = ["alice"], settings = {}, fileOptions = {}, offers }: WorldOptions = {}) {
  const clock = fakeClock(START_MS);
  const { pool, store } = memoryPool({
    aliases,
    clock,
    mode: "sticky",
    quotaTtlMs: 30 * MINUTE_MS,
    fileOptions,
  });
  const plan = createAnchorPlan({
    store,
    pool,
    settings: () => ({ ...SETTINGS, ...settings }),
    offers: offers ?? (() => undefined),
    moments: (at, nowMs) => {
      const date = new Date(nowMs);
      return at.map(({ hours, minutes }) =>
        new Date(date.getFullYear(), date.getMonth(), date.getDate(), hours, minutes).getTime(),
      );
    },
    delayMs: 0,
  });
  const report = (alias: string, { usedShort = 0, usedWeekly = 10, resetAtMs, kinds }: Figures = {}) => {
    const nowMs = clock.now();
    const windowOf = (kind: WindowKind, usedPercent: number, reset: number | undefined) => ({
      usedPercent,
      resetAtMs: reset ?? nowMs + USUAL_SECONDS[kind] * 1000,
      windowSeconds: USUAL_SECONDS[kind],
      asOfMs: nowMs,
      source: "usage_api" as const,
    });
    const has = (kind: WindowKind) => (kinds ?? ["short", "weekly"]).includes(kind);
    const evidence: QuotaEvidence = {
      ...UNKNOWN_QUOTA,
      main: {
        ...UNKNOWN_QUOTA.main,
        windows: {
          ...NO_WINDOWS,
          ...(has("short") ? { short: windowOf("short", usedShort, resetAtMs) } : {}),
          ...(has("weekly") ? { weekly: windowOf("weekly", usedWeekly, undefined) } : {}),
        },
        completeAsOfMs: nowMs,
      },
    };
    pool.learn(`openai:${alias}`, evidence);
  };
  const step = (): string => {
    const next = plan.next(clock.now());
    return next.kind === "wait" ? "wait" : `${next.kind} ${next.account.alias}`;
  };
  /** Reports unused windows every ten minutes until it is `minute` minutes after the start. */
  const idleUntil = (minute: number, figures: Figures = {}): string => {
    let last = "";
    for (; clock.now() <= START_MS + minute * MINUTE_MS; clock.advance(10 * MINUTE_MS)) {
      for (const alias of aliases) report(alias, figures);
      last = step();
    }
    return last;
  };
  const record = (alias: string) => {
    const found = store.state.accounts.find((one) => one.alias === alias);
    if (found === undefined) throw new Error(`no account ${alias}`);
    return found;
  };
  return { clock, pool, plan, report, step, idleUntil, record };
}

describe("an account is anchored", () => {
  test("from its time on, if its window has not begun", () => {
    const { idleUntil } = world();
    expect(idleUntil(20)).toBe("wait");
    expect(idleUntil(30)).toBe("send alice");
  });

  test("until an hour after its time", () => {
    expect(world().idleUntil(80)).toBe("send alice");
    expect(world().idleUntil(90)).toBe("wait");
  });

  test("only on figures of the last minute, for which the usage endpoint is asked once a minute", () => {
    const { clock, report, idleUntil, step } = world();
    idleUntil(20);
    expect([clock.now() - START_MS, step(), step()]).toEqual([30 * MINUTE_MS, "look alice", "wait"]);
    clock.advance(MINUTE_MS);
    expect(step()).toBe("look alice");
    report("alice");
    expect(step()).toBe("send alice");
  });

  test("after two figures, and not after one", () => {
    const { clock, report, step } = world();
    clock.advance(30 * MINUTE_MS);
    report("alice");
    expect(step()).toBe("wait");
    clock.advance(MINUTE_MS);
    expect(step()).toBe("look alice");
    report("alice");
    expect(step()).toBe("send alice");
  });

  test("once for each time, also after a restart", () => {
    const { clock, idleUntil, plan, record, report, step } = world({
      settings: { at: [SETTINGS.at[0] ?? { hours: 7, minutes: 0 }, { hours: 8, minutes: 0 }] },
    });
    expect(idleUntil(30)).toBe("send alice");
    report("alice");
    const next = plan.next(clock.now());
    if (next.kind !== "send") throw new Error("a step that sends was expected");
    noteAnchors(record("alice"), { day: "2026-01-05", turns: 1, tokens: 0, momentMs: next.momentMs });
    expect(step()).toBe("wait");
    // The next time, with a window that still has not begun: the first turn had failed.
    expect(idleUntil(80)).toBe("wait");
    expect(idleUntil(90)).toBe("send alice");
  });

  test("one after another, spread over a window, if they are staggered", () => {
    const { idleUntil, record } = world({
      aliases: ["alice", "bob", "carol", "dave", "erin"],
      settings: { stagger: true },
    });
    const sent: string[] = [];
    for (let minute = 0; minute <= 300; minute += 10) {
      const step = idleUntil(minute);
      if (!step.startsWith("send ")) continue;
      const alias = step.slice(5);
      sent.push(`${minute} ${alias}`);
      noteAnchors(record(alias), {
        day: "2026-01-05",
        turns: 1,
        tokens: 0,
        momentMs: START_MS + minute * MINUTE_MS,
      });
    }
    expect(sent).toEqual(["30 alice", "90 bob", "150 carol", "210 dave", "270 erin"]);
  });
});

describe("an account is never anchored", () => {
  const DUE = 30;

  test("while anchoring is off", () => {
    expect(world({ settings: { enabled: false } }).idleUntil(DUE)).toBe("wait");
  });

  test("if its window has begun, even if nothing of it seems used", () => {
    const resetAtMs = START_MS + 200 * MINUTE_MS;
    expect(world().idleUntil(DUE, { resetAtMs })).toBe("wait");
    expect(world().idleUntil(DUE, { resetAtMs, usedShort: 40 })).toBe("wait");
  });

  test("without a 5h window, or with unknown figures", () => {
    expect(world().idleUntil(DUE, { kinds: ["weekly"] })).toBe("wait");
    const { clock, step } = world();
    clock.advance(DUE * MINUTE_MS);
    expect(step()).toBe("wait");
  });

  test("with little left of its week", () => {
    expect(world().idleUntil(DUE, { usedWeekly: 80 })).toBe("send alice");
    expect(world().idleUntil(DUE, { usedWeekly: 81 })).toBe("wait");
    expect(world().idleUntil(DUE, { usedWeekly: 100 })).toBe("wait");
  });

  test("at its floor", () => {
    const fileOptions = { alice: { floorWeekly: 50 } };
    expect(world({ fileOptions }).idleUntil(DUE, { usedWeekly: 49 })).toBe("send alice");
    expect(world({ fileOptions }).idleUntil(DUE, { usedWeekly: 50 })).toBe("wait");
  });

  test("while it is draining, disabled or cooling down, or after its login has ended", () => {
    const draining = world();
    drain(draining.record("alice"));
    expect(draining.idleUntil(DUE)).toBe("wait");
    const disabled = world();
    disableByOperator(disabled.record("alice"), START_MS);
    expect(disabled.idleUntil(DUE)).toBe("wait");
    const dead = world();
    dead.pool.disable("openai:alice", "http-401");
    expect(dead.idleUntil(DUE)).toBe("wait");
    const cooling = world();
    cooling.pool.note("openai:alice", {
      kind: "cool",
      cause: "fault",
      reason: "http-503",
      atMs: START_MS,
      untilMs: START_MS + 60 * MINUTE_MS,
    });
    expect(cooling.idleUntil(DUE)).toBe("wait");
  });

  test("while it has a request in flight", () => {
    const { pool, idleUntil, report, step } = world();
    const lease = pool.pick({ hops: [], session: undefined, tried: new Set(), spends: true, requestId: 1 });
    expect(idleUntil(DUE)).toBe("wait");
    lease?.release();
    report("alice");
    expect(step()).toBe("send alice");
  });

  test("if its catalogue does not have the model", () => {
    expect(world({ offers: (_id, model) => model === "small" }).idleUntil(DUE)).toBe("send alice");
    expect(world({ offers: () => false }).idleUntil(DUE)).toBe("wait");
  });
});
