import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createRefreshLane, type RefreshLane } from "../../src/auth/refresh.ts";
import { systemDeps } from "../../src/deps.ts";
import { type MockBackend, startMock } from "../../src/mock/backend.ts";
import { tryLock } from "../../src/state/lock.ts";
import { tempDirectory } from "../support/temp.ts";

interface Setup extends AsyncDisposable {
  readonly mock: MockBackend;
  readonly home: string;
  readonly token: string;
  lane(timeoutMs?: number): RefreshLane;
  asked(): number;
}

function setup(): Setup {
  const temp = tempDirectory();
  const deps = systemDeps();
  const mock = startMock({ accounts: [{ alias: "alice" }], clock: deps.clock });
  const auth = { ...JSON.parse(mock.authFile("alice")), kept: { by: "codex" } };
  writeFileSync(join(temp.path, "auth.json"), JSON.stringify(auth));
  return {
    mock,
    home: temp.path,
    token: auth.tokens.access_token,
    lane: (timeoutMs = 2_000) => createRefreshLane(deps, () => ({ tokenUrl: mock.tokenUrl, timeoutMs })),
    asked: () => mock.requests.filter((request) => request.point === "token").length,
    [Symbol.asyncDispose]: async () => {
      await mock.stop();
      temp[Symbol.dispose]();
    },
  };
}

describe("the refresh lane", () => {
  test("renews once for all who ask at the same time, and keeps what it does not know", async () => {
    await using s = setup();
    const lane = s.lane();
    const renewals = await Promise.all([1, 2, 3].map(() => lane.renew(s.home, s.token)));
    expect(renewals.map((renewal) => renewal.kind)).toEqual(["renewed", "renewed", "renewed"]);
    expect(s.asked()).toBe(1);
    const kept = JSON.parse(readFileSync(join(s.home, "auth.json"), "utf8"));
    expect(kept.kept).toEqual({ by: "codex" });
    expect(kept.tokens.account_id).toBe("mock-alice");
    expect(kept.tokens.refresh_token).toBe("mock-refresh-alice-2");
  });

  test("takes what another process renewed meanwhile instead of renewing again", async () => {
    await using s = setup();
    // Two lanes know nothing of each other, as two processes would; only the lock and the file join them.
    const renewals = await Promise.all([s.lane().renew(s.home, s.token), s.lane().renew(s.home, s.token)]);
    expect(renewals.map((renewal) => renewal.kind)).toEqual(["renewed", "renewed"]);
    expect(s.asked()).toBe(1);
  });

  test("waits for a lock that is held, and gives up in the end without asking", async () => {
    await using s = setup();
    const lock = tryLock(join(s.home, ".auth.refresh.lock"));
    const renewal = await s.lane(100).renew(s.home, s.token);
    expect(renewal).toMatchObject({ kind: "failed" });
    expect(s.asked()).toBe(0);
    lock?.release();
    expect((await s.lane().renew(s.home, s.token)).kind).toBe("renewed");
  });

  const REFUSALS: [string, { status: number; body: unknown }, unknown][] = [
    [
      "a reused token",
      { status: 401, body: { error: { code: "refresh_token_reused" } } },
      { kind: "dead", reason: "refresh-token-reused" },
    ],
    [
      "an expired token",
      { status: 401, body: { error: { code: "refresh_token_expired" } } },
      { kind: "dead", reason: "refresh-token-expired" },
    ],
    [
      "invalid_grant as a string",
      { status: 400, body: { error: "invalid_grant" } },
      { kind: "dead", reason: "invalid-grant" },
    ],
    ["a plain 401", { status: 401, body: "no" }, { kind: "dead", reason: "http-401" }],
    ["429", { status: 429, body: {} }, { kind: "failed" }],
    ["503", { status: 503, body: "<html>" }, { kind: "failed" }],
    ["an answer without a token", { status: 200, body: {} }, { kind: "failed" }],
  ];
  for (const [name, answer, expected] of REFUSALS)
    test(`after ${name} is not asked again, and the file stays`, async () => {
      await using s = setup();
      s.mock.faults.add({ on: "token", answer });
      const before = readFileSync(join(s.home, "auth.json"), "utf8");
      expect(await s.lane().renew(s.home, s.token)).toMatchObject(expected as object);
      expect(s.asked()).toBe(1);
      expect(readFileSync(join(s.home, "auth.json"), "utf8")).toBe(before);
    });

  test("says what is wrong when nobody answers", async () => {
    await using s = setup();
    s.mock.faults.add({ on: "token", reset: true });
    const renewal = await s.lane().renew(s.home, s.token);
    expect(renewal.kind).toBe("failed");
  });
});

test("a lock is free again when its holder is", () => {
  using temp = tempDirectory();
  const path = join(temp.path, "lock");
  const first = tryLock(path);
  expect(first).toBeDefined();
  expect(tryLock(path)).toBeUndefined();
  first?.release();
  first?.release();
  const second = tryLock(path);
  expect(second).toBeDefined();
  second?.release();
});
