import { describe, expect, test } from "bun:test";
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { createRefreshLane, type RefreshLane } from "../../src/auth/refresh.ts";
import { systemDeps } from "../../src/deps.ts";
import { type MockBackend, startMock } from "../../src/mock/backend.ts";
import { createOutbound } from "../../src/network/egress.ts";
import { tryLock } from "../../src/state/lock.ts";
import { until } from "../support/pool.ts";
import { tempDirectory } from "../support/temp.ts";

interface Setup extends AsyncDisposable {
  readonly mock: MockBackend;
  readonly home: string;
  readonly token: string;
  readonly warnings: string[];
  lane(timeoutMs?: number): RefreshLane;
  asked(): number;
}

/** `smallDisk`: the home is on a small separate disk. */
function setup(smallDisk = false): Setup {
  const temp = tempDirectory();
  if (smallDisk) mountSmallDisk(temp.path);
  const warnings: string[] = [];
  const deps = { ...systemDeps(), log: { info: () => {}, warn: (line: string) => void warnings.push(line) } };
  const mock = startMock({ accounts: [{ alias: "alice" }], clock: deps.clock });
  const auth = { ...JSON.parse(mock.authFile("alice")), kept: { by: "codex" } };
  writeFileSync(join(temp.path, "auth.json"), JSON.stringify(auth));
  return {
    mock,
    home: temp.path,
    warnings,
    token: auth.tokens.access_token,
    lane: (timeoutMs = 2_000) =>
      createRefreshLane(deps, () => ({
        tokenUrl: mock.tokenUrl,
        timeoutMs,
        outbound: createOutbound({ env: {} }),
      })),
    asked: () => mock.requests.filter((request) => request.point === "token").length,
    [Symbol.asyncDispose]: async () => {
      await mock.stop();
      if (smallDisk) Bun.spawnSync(["umount", temp.path]);
      temp[Symbol.dispose]();
    },
  };
}

function mountSmallDisk(path: string): boolean {
  const command = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", path];
  return Bun.which("mount") !== null && Bun.spawnSync(command, { stderr: "ignore" }).success;
}

/** The reason why this machine cannot test a full disk; undefined if it can. */
const whyNoSmallDisk = (() => {
  if (process.platform !== "linux") return "it needs Linux";
  using temp = tempDirectory();
  if (!mountSmallDisk(temp.path)) return "this user may not mount";
  Bun.spawnSync(["umount", temp.path]);
  return undefined;
})();
if (whyNoSmallDisk !== undefined) console.log(`skipped: renewals on a full disk (${whyNoSmallDisk})`);

/** Fills up the disk of `directory`. */
function fill(directory: string): void {
  const file = openSync(join(directory, "filler"), "w");
  for (const bytes of [4_096, 1]) {
    try {
      for (;;) writeSync(file, Buffer.alloc(bytes));
    } catch {
      // no room for a piece of this size
    }
  }
  closeSync(file);
}

describe("the refresh lane", () => {
  test("renews once for concurrent calls, and keeps unknown keys", async () => {
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

  test("uses the tokens that another process renewed in between", async () => {
    await using s = setup();
    // Two lanes share only the lock and the file, like two processes.
    const renewals = await Promise.all([s.lane().renew(s.home, s.token), s.lane().renew(s.home, s.token)]);
    expect(renewals.map((renewal) => renewal.kind)).toEqual(["renewed", "renewed"]);
    expect(s.asked()).toBe(1);
  });

  test("is shared by processes: one renewal, and all use its token", async () => {
    await using s = setup();
    const processes = [1, 2, 3].map(() =>
      Bun.spawn(
        [
          process.execPath,
          join(import.meta.dir, "..", "support", "renew.ts"),
          s.home,
          s.mock.tokenUrl,
          s.token,
        ],
        { stdin: "pipe", stdout: "pipe", stderr: "inherit" },
      ),
    );
    const readers = processes.map((child) => child.stdout.pipeThrough(new TextDecoderStream()).getReader());
    for (const reader of readers) expect((await reader.read()).value).toBe("ready\n");
    // All of them have the expired token, and start together.
    for (const child of processes) {
      child.stdin.write("go\n");
      child.stdin.flush();
    }
    const answers = await Promise.all(
      readers.map(async (reader) => JSON.parse((await reader.read()).value ?? "") as Record<string, string>),
    );
    await Promise.all(processes.map((child) => child.exited));
    const placed = JSON.parse(readFileSync(join(s.home, "auth.json"), "utf8")).tokens.access_token;
    expect(answers).toEqual(answers.map(() => ({ kind: "renewed", token: placed })));
    expect(placed).not.toBe(s.token);
    expect(s.asked()).toBe(1);
  });

  test("keeps a login that was installed while the backend responded", async () => {
    await using s = setup();
    const path = join(s.home, "auth.json");
    s.mock.faults.add({ on: "token", delayMs: 50 });
    const renewing = s.lane().renew(s.home, s.token);
    await until("the backend was asked", () => s.asked() === 1);
    const imported = s.mock.authFile("alice");
    writeFileSync(path, imported);
    expect(await renewing).toMatchObject({
      kind: "renewed",
      credentials: { accessToken: JSON.parse(imported).tokens.access_token },
    });
    expect(readFileSync(path, "utf8")).toBe(imported);
  });

  test("renews a copy of the spent login that was installed in between", async () => {
    await using s = setup();
    const path = join(s.home, "auth.json");
    const copy = readFileSync(path, "utf8");
    s.mock.faults.add({ on: "token", delayMs: 50 });
    const renewing = s.lane().renew(s.home, s.token);
    await until("the backend was asked", () => s.asked() === 1);
    writeFileSync(path, copy);
    expect((await renewing).kind).toBe("renewed");
    expect(JSON.parse(readFileSync(path, "utf8")).tokens.refresh_token).toBe("mock-refresh-alice-2");
  });

  test("keeps a renewed login in memory until it can be written", async () => {
    await using s = setup();
    const path = join(s.home, "auth.json");
    const before = readFileSync(path, "utf8");
    const lane = s.lane();
    s.mock.faults.add({ on: "token", delayMs: 50 });
    const renewing = lane.renew(s.home, s.token);
    await until("the backend was asked", () => s.asked() === 1);
    // A directory in place of the file can be neither read nor replaced.
    rmSync(path);
    mkdirSync(path);
    const renewed = await renewing;
    if (renewed.kind !== "renewed") throw new Error(`not renewed: ${renewed.kind}`);
    const { accessToken } = renewed.credentials;
    expect(s.warnings.join()).toContain(
      "the renewed login is kept in memory, and codexlb tries again to write it",
    );
    lane.save();
    // Calls in between get the login from memory.
    expect(await lane.renew(s.home, s.token)).toMatchObject({
      kind: "renewed",
      credentials: { accessToken },
    });
    rmSync(path, { recursive: true });
    writeFileSync(path, before);
    lane.save();
    expect(JSON.parse(readFileSync(path, "utf8")).tokens.access_token).toBe(accessToken);
    expect(s.asked()).toBe(1);
  });

  test("waits for the lock, and gives up without a request", async () => {
    await using s = setup();
    const lock = tryLock(join(s.home, ".auth.refresh.lock"));
    const renewal = await s.lane(100).renew(s.home, s.token);
    expect(renewal).toMatchObject({ kind: "failed" });
    expect(s.asked()).toBe(0);
    lock?.release();
    expect((await s.lane().renew(s.home, s.token)).kind).toBe("renewed");
  });

  test("shortens the reason of a refusal", async () => {
    await using s = setup();
    const code = `\u001b[2J${"x".repeat(1_000_000)}`;
    s.mock.faults.add({ on: "token", answer: { status: 400, body: { error: { code } } } });
    const renewal = await s.lane().renew(s.home, s.token);
    if (renewal.kind !== "failed") throw new Error(`not failed: ${renewal.kind}`);
    expect(renewal.why.length).toBeLessThan(200);
    expect(renewal.why).not.toMatch(/\p{Cc}/u);
  });

  describe.skipIf(whyNoSmallDisk !== undefined)("on a full disk", () => {
    test("does not spend the refresh token, and renews once there is room", async () => {
      await using s = setup(true);
      fill(s.home);
      const renewal = await s.lane().renew(s.home, s.token);
      expect(renewal).toMatchObject({ kind: "failed" });
      expect(JSON.stringify(renewal)).toContain("no space left on the disk");
      expect(s.asked()).toBe(0);
      rmSync(join(s.home, "filler"));
      expect((await s.lane().renew(s.home, s.token)).kind).toBe("renewed");
      expect(readdirSync(s.home).sort()).toEqual([".auth.refresh.lock", "auth.json"]);
    });

    test("that fills up while the backend responds, still stores the renewed login", async () => {
      await using s = setup(true);
      s.mock.faults.add({ on: "token", delayMs: 100 });
      const renewing = s.lane().renew(s.home, s.token);
      await until("the backend was asked", () => s.asked() === 1);
      fill(s.home);
      expect((await renewing).kind).toBe("renewed");
      expect(s.warnings).toEqual([]);
      const placed = JSON.parse(readFileSync(join(s.home, "auth.json"), "utf8"));
      expect(placed.tokens.refresh_token).toBe("mock-refresh-alice-2");
    });
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
    [
      "a token that was revoked",
      { status: 400, body: { error: { code: "invalid_refresh_token" } } },
      { kind: "dead", reason: "refresh-token-invalidated" },
    ],
    [
      "a code without an error object",
      { status: 403, body: { code: "refresh_token_reused" } },
      { kind: "dead", reason: "refresh-token-reused" },
    ],
    // Codes must not match the properties that every object has.
    ["a code such as constructor", { status: 400, body: { error: "constructor" } }, { kind: "failed" }],
    ["a plain 401", { status: 401, body: "no" }, { kind: "dead", reason: "http-401" }],
    ["429", { status: 429, body: {} }, { kind: "failed" }],
    ["503", { status: 503, body: "<html>" }, { kind: "failed" }],
    ["an answer without a token", { status: 200, body: {} }, { kind: "failed" }],
  ];
  for (const [name, answer, expected] of REFUSALS)
    test(`sends no second request after ${name}, and keeps the file`, async () => {
      await using s = setup();
      s.mock.faults.add({ on: "token", answer });
      const before = readFileSync(join(s.home, "auth.json"), "utf8");
      expect(await s.lane().renew(s.home, s.token)).toMatchObject(expected as object);
      expect(s.asked()).toBe(1);
      expect(readFileSync(join(s.home, "auth.json"), "utf8")).toBe(before);
    });

  test("reports an unreachable token endpoint", async () => {
    await using s = setup();
    s.mock.faults.add({ on: "token", reset: true });
    const renewal = await s.lane().renew(s.home, s.token);
    expect(renewal.kind).toBe("failed");
  });
});

test("a lock is free once its holder has released it", () => {
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
