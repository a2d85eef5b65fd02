import { expect, test } from "bun:test";
import { ALL_WORK, type WorkLeases } from "../../src/cluster/work-leases.ts";
import { newAccount } from "../../src/state/account-record.ts";
import type { AnchorStep } from "../../src/upstream/anchor-plan.ts";
import { createAnchorer } from "../../src/upstream/anchorer.ts";
import { fakeClock } from "../support/clock.ts";

const STEP_MS = 12_000;

/** An anchorer whose plan always returns `step`. `flush` writes the store. */
function rig(
  kind: "look" | "send",
  flush: () => void = () => {},
  leases: Pick<WorkLeases, "take"> = ALL_WORK,
) {
  const clock = fakeClock();
  const account = newAccount("alice", "/alice");
  const step: AnchorStep = kind === "look" ? { kind, account } : { kind, account, momentMs: clock.now() };
  /** What happened, in order. */
  const log: string[] = [];
  const warnings: string[] = [];
  const anchorer = createAnchorer({
    deps: {
      clock,
      random: (bytes) => new Uint8Array(bytes),
      log: { info: () => {}, warn: (message) => void warnings.push(message) },
    },
    store: {
      state: {
        accounts: [account],
        activeId: undefined,
        pinnedId: undefined,
        messageCounter: 0,
        lastRotationMs: 0,
      },
      touch: () => {},
      flush: () => {
        flush();
        log.push(`stored ${account.anchors?.turns}`);
      },
      close: () => {},
    },
    events: { append: (event) => void log.push(event) },
    leases,
    plan: { next: () => step },
    refresher: {
      refresh: async () => {
        log.push("look");
      },
    },
    send: async () => {
      log.push("send");
      return { kind: "served", tokens: 12, durationMs: 1 };
    },
  });
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  return {
    account,
    log,
    warnings,
    anchorer,
    start: () => {
      anchorer.start();
      return settled();
    },
    pass: (ms: number) => {
      clock.advance(ms);
      return settled();
    },
  };
}

test("a turn is counted on disk before it is sent, and its tokens afterwards", async () => {
  const { start, log, account, anchorer } = rig("send");
  await start();
  anchorer.stop();
  expect(log).toEqual(["stored 1", "send", "anchor.sent"]);
  expect(account.anchors).toMatchObject({ turns: 1, tokens: 12 });
});

test("a turn that cannot be counted is not sent", async () => {
  const { start, log, warnings, anchorer } = rig("send", () => {
    throw new Error("disk full");
  });
  await start();
  anchorer.stop();
  expect(log).toEqual([]);
  expect(warnings).toEqual(["starting the 5h window of an account: disk full; codexlb tries again"]);
});

test("there is a pause of at least 20 s between two turns", async () => {
  const { start, pass, log, anchorer } = rig("send");
  const sent = () => log.filter((entry) => entry === "send").length;
  await start();
  await pass(STEP_MS);
  expect(sent()).toBe(1);
  await pass(STEP_MS);
  expect(sent()).toBe(2);
  anchorer.stop();
});

test("a proxy that shuts down sends nothing more, so the next one on the root alone sends", async () => {
  const { start, pass, log, anchorer } = rig("look");
  await start();
  anchorer.stop();
  await pass(60 * 60_000);
  expect(log).toEqual(["look"]);
});

test("a replica without the lease neither fetches figures nor sends a turn", async () => {
  for (const kind of ["look", "send"] as const) {
    const { start, log, anchorer } = rig(kind, () => {}, { take: async () => new Set() });
    await start();
    anchorer.stop();
    expect(log).toEqual([]);
  }
});
