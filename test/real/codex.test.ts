// Real Codex through the executable and `codexlb run`, against the simulated backend with two accounts. Every run has a
// recording HTTPS proxy in its environment, which sees all requests that bypass codexlb.

import { expect } from "bun:test";
import { join } from "node:path";
import { gated } from "../support/gated.ts";
import { CODEX_VERSIONS, codexBinary, whyNoCodex } from "./codex-binaries.ts";
import { backendsIn, type Recorder, startRecorder } from "./recorder.ts";
import {
  BYPASS,
  CREATED,
  expectTurn,
  LIMIT_ANSWER,
  LIMIT_EVENT,
  NO_WEBSOCKET,
  type Setup,
  servedBy,
  startReal,
  threadOf,
} from "./setup.ts";

const { afterAll, beforeAll, describe, test } = gated(
  "real Codex, codex",
  whyNoCodex(...Object.values(CODEX_VERSIONS)),
);

/** Versions that speak WebSocket, newest first. */
const CURRENT = [CODEX_VERSIONS.newest, CODEX_VERSIONS.today] as const;

let today = "";
let old = "";
const binaries = new Map<string, string>();
/** The path of a version's executable. Available only while tests run. */
const pathOf = (version: string) => binaries.get(version) ?? "";
let recorder: Recorder;

beforeAll(async () => {
  for (const version of Object.values(CODEX_VERSIONS)) binaries.set(version, await codexBinary(version));
  today = pathOf(CODEX_VERSIONS.today);
  old = pathOf(CODEX_VERSIONS.old);
  recorder = await startRecorder();
}, 300_000);

afterAll(() => recorder[Symbol.asyncDispose]());

describe.each(CURRENT)("Codex %s over WebSocket", (version) => {
  test("completes a turn with a tool call on one account", async () => {
    await using setup = await startReal(recorder);
    const ran = await setup.codex(pathOf(version), "please use TOOL");
    expectTurn(ran, "alice");
    expect(ran.out).toContain('"aggregated_output":"tool-ran\\n","exit_code":0');
    expect(setup.points("message").length).toBeGreaterThanOrEqual(3);
    expect(setup.points("sse")).toEqual([]);
  });

  test("requests no path that the proxy refuses", async () => {
    await using setup = await startReal(recorder);
    expectTurn(await setup.codex(pathOf(version), "please use TOOL"), "alice");
    await expectNoRefusal(setup);
  });

  test("moves a turn to the other account when the first event is a limit", async () => {
    await using setup = await startReal(recorder);
    setup.mock.faults.add({ on: "message", account: "alice", events: [LIMIT_EVENT] });
    expectTurn(await setup.codex(pathOf(version), "please use TOOL"), "bob");
    expect(setup.points("message")).toContain("alice");
  });

  test("moves a turn when the limit comes after response.created, in the middle of a tool round", async () => {
    await using setup = await startReal(recorder);
    setup.mock.faults.add({ on: "message", account: "alice", skip: 1, events: [CREATED, LIMIT_EVENT] });
    const ran = await setup.codex(pathOf(version), "please use TOOL");
    expectTurn(ran, "bob");
    expect(ran.out.match(/"aggregated_output":"tool-ran\\n"/g)?.length).toBe(1);
  });

  test("moves a turn when the handshake is refused with a limit", async () => {
    await using setup = await startReal(recorder);
    setup.mock.faults.add({ on: "upgrade", account: "alice", answer: LIMIT_ANSWER });
    expectTurn(await setup.codex(pathOf(version), "please use TOOL"), "bob");
  });

  test("prints its own usage-limit message and stops when every account is exhausted", async () => {
    await using setup = await startReal(recorder);
    setup.mock.faults.add({ on: "upgrade", answer: LIMIT_ANSWER });
    const ran = await setup.codex(pathOf(version), "hello");
    expect(ran.code).not.toBe(0);
    expect(ran.out).toContain("hit your usage limit");
    expect(setup.points("upgrade").length).toBe(2);
    // Codex has asked for a WebSocket twice, the first time before it had a turn.
    const { total } = JSON.parse((await setup.tool.run(["usage", "--json"])).out);
    expect(total).toMatchObject({ turns: 1, failed: 1 });
  });

  test("prints the same message when the last account is exhausted in the middle of a session", async () => {
    await using setup = await startReal(recorder, [{ alias: "alice" }]);
    setup.mock.faults.add({ on: "message", skip: 1, events: [LIMIT_EVENT] });
    const ran = await setup.codex(pathOf(version), "please use TOOL");
    expect(ran.code).not.toBe(0);
    expect(ran.out).toContain("hit your usage limit");
  });
});

describe.each(CURRENT)("Codex %s over server-sent events", (version) => {
  test("completes a turn with a tool call", async () => {
    await using setup = await startReal(recorder);
    setup.mock.faults.add(NO_WEBSOCKET);
    const ran = await setup.codex(pathOf(version), "please use TOOL");
    expectTurn(ran, "alice");
    expect(ran.out).toContain('"aggregated_output":"tool-ran\\n","exit_code":0');
    expect(setup.points("sse")).toEqual(["alice", "alice"]);
    const encodings = setup.mock.requests
      .filter((one) => one.point === "sse")
      .map((one) => one.headers["content-encoding"]);
    expect(encodings).toEqual(["zstd", "zstd"]);
  });

  test("moves a turn to the other account when the first one responds with 429", async () => {
    await using setup = await startReal(recorder);
    setup.mock.faults.add(NO_WEBSOCKET, { on: "sse", account: "alice", answer: LIMIT_ANSWER });
    expectTurn(await setup.codex(pathOf(version), "please use TOOL"), "bob");
    expect(setup.points("sse")).toEqual(["alice", "bob", "bob"]);
  });

  test("moves a turn when the limit is the first event of a 200 stream, in the middle of a tool round", async () => {
    await using setup = await startReal(recorder);
    setup.mock.faults.add(NO_WEBSOCKET, { on: "sse", account: "alice", skip: 1, events: [LIMIT_EVENT] });
    expectTurn(await setup.codex(pathOf(version), "please use TOOL"), "bob");
  });
});

describe.each(CURRENT)("credentials, with Codex %s,", (version) => {
  for (const transport of ["WebSocket", "server-sent events"])
    describe(`over ${transport}`, () => {
      const faults = transport === "WebSocket" ? [] : [NO_WEBSOCKET];

      test("that expired are renewed, and the turn completes on the same account", async () => {
        await using setup = await startReal(recorder, [
          { alias: "alice", expiresInSeconds: -60 },
          { alias: "bob" },
        ]);
        setup.mock.faults.add(...faults);
        expectTurn(await setup.codex(pathOf(version), "please use TOOL"), "alice");
        expect(setup.points("token")).toEqual(["alice"]);
      });

      test("that were revoked disable only their account", async () => {
        await using setup = await startReal(recorder, [{ alias: "alice" }, { alias: "bob" }]);
        setup.mock.accounts.revoke(setup.mock.accounts.byAlias("alice"));
        setup.mock.faults.add(...faults);
        expectTurn(await setup.codex(pathOf(version), "please use TOOL"), "bob");
      });
    });
});

describe.each(CURRENT)("a session of Codex %s", (version) => {
  test("that is resumed continues with the account that served it", async () => {
    await using setup = await startReal(
      recorder,
      [{ alias: "alice" }, { alias: "bob" }],
      '[policy]\nmode = "round_robin"\n',
    );
    const owners = new Map<string, string>();
    for (const prompt of ["first", "second", "third"]) {
      const ran = await setup.codex(pathOf(version), prompt);
      expect(ran.code).toBe(0);
      owners.set(threadOf(ran), servedBy(ran));
    }
    expect(new Set(owners.values()).size).toBe(2);
    for (const [thread, owner] of owners) {
      const ran = await setup.codexArgs(pathOf(version), ["exec", "resume", ...BYPASS, thread, "go on"]);
      expectTurn(ran, owner);
      expect(threadOf(ran)).toBe(thread);
    }
  }, 120_000);
});

describe("an old Codex", () => {
  test("completes a turn with a tool call", async () => {
    await using setup = await startReal(recorder);
    const ran = await setup.codex(old, "please use TOOL");
    expectTurn(ran, "alice");
    expect(ran.out).toContain("tool-ran");
    expect(setup.points("sse")).toEqual(["alice", "alice"]);
  });

  test("requests no path that the proxy refuses", async () => {
    await using setup = await startReal(recorder);
    expectTurn(await setup.codex(old, "please use TOOL"), "alice");
    await expectNoRefusal(setup);
  });

  test("moves a turn to the other account when the first one responds with 429", async () => {
    await using setup = await startReal(recorder);
    setup.mock.faults.add({ on: "sse", account: "alice", answer: LIMIT_ANSWER });
    expectTurn(await setup.codex(old, "please use TOOL"), "bob");
  });
});

describe("no request bypasses the proxy:", () => {
  test("the recorder sees requests that do", async () => {
    await using setup = await startReal(recorder);
    await using own = await startRecorder();
    // If both base URLs have the same origin, Codex sends its turns to chatgpt.com regardless of the URLs.
    const origin = setup.url;
    const same = [
      "-c",
      `openai_base_url="${origin}/backend-api/codex"`,
      "-c",
      `chatgpt_base_url="${origin}/backend-api/"`,
    ];
    // Use the home that `codexlb run` prepares, but without `codexlb run`.
    expect((await setup.codex(today, "hello")).code).toBe(0);
    const child = Bun.spawn([today, ...same, "exec", ...BYPASS, "hello"], {
      cwd: setup.work,
      env: { ...setup.tool.env(), CODEX_HOME: join(setup.tool.root, "codex-home"), HTTPS_PROXY: own.url },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
    });
    // Codex retries forever, so stop it at its first request.
    await Promise.race([own.sees("chatgpt.com:443"), child.exited]);
    child.kill();
    await child.exited;
    expect(own.hosts).toContain("chatgpt.com:443");
  }, 120_000);

  test("the recorder saw none in the runs above", () => {
    expect(backendsIn(recorder)).toEqual([]);
  });
});

async function expectNoRefusal({ tool }: Setup): Promise<void> {
  const { out } = await tool.run(["proxy", "logs", "--tail", "0", "--limit", "2000"]);
  expect(out).toContain('"event":"request.received"');
  expect(out).not.toContain('"event":"request.refused"');
}
