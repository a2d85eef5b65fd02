// Checks that the benchmark's floor and backend return the right bytes, and that its proof notices wrong ones.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Backend, startBackend } from "../../scripts/bench/backend.ts";
import { startFloor } from "../../scripts/bench/floor.ts";
import { prepareFailovers } from "../../scripts/bench/load/failovers.ts";
import { prepareIdle } from "../../scripts/bench/load/idle.ts";
import { prepareRequests } from "../../scripts/bench/load/requests.ts";
import { prepareDials, prepareSockets } from "../../scripts/bench/load/sockets.ts";
import { prepareStreams } from "../../scripts/bench/load/streams.ts";
import { differences } from "../../scripts/bench/proof.ts";
import { PATHS } from "../../scripts/bench/protocol.ts";
import { outcome } from "../support/outcome.ts";
import { type TempDirectory, tempDirectory } from "../support/temp.ts";

const STUB = { authorization: "Bearer stub", "chatgpt-account-id": "stub" };

let temp: TempDirectory;
let backend: Backend;
let floor: ReturnType<typeof startFloor>;
let direct: { origin: string; headers: Readonly<Record<string, string>> };
beforeAll(() => {
  temp = tempDirectory();
  backend = startBackend(2, temp.path);
  const [account] = backend.accounts.values();
  if (account === undefined) throw new Error("the backend has no accounts");
  direct = { origin: backend.origin, headers: account.credentials };
  floor = startFloor({ backend: backend.origin, credentials: account.credentials });
});
afterAll(async () => {
  await floor.stop();
  await backend.stop();
  temp[Symbol.dispose]();
});

test("the floor returns the same bytes as the backend on every path", async () => {
  expect(await differences({ origin: floor.origin, headers: STUB }, direct)).toEqual([]);
});

test("the backend refuses credentials that were not replaced", async () => {
  const wrong = await differences({ origin: backend.origin, headers: STUB }, direct);
  expect(wrong).toHaveLength(7);
  expect(wrong[0]).toContain("status 401");
});

test("the proof notices a changed byte, a missing event and another order", async () => {
  const edits: Readonly<Record<string, (text: string) => string>> = {
    [PATHS.small]: (text) => text.replace("x", "y"),
    [PATHS.turn]: (text) => text.slice(text.indexOf("\n\n") + 2),
    [`${PATHS.turn}?paced=50&every=1`]: (text) => text.split("\n\n").reverse().join("\n\n"),
    [PATHS.download]: (text) => text.replace("AA", "AB"),
  };
  await using server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    development: false,
    fetch: async (request) => {
      const path = request.url.slice(request.url.indexOf("/", 8));
      const body = request.method === "GET" ? null : await request.arrayBuffer();
      const response = await fetch(floor.origin + path, { method: request.method, headers: STUB, body });
      const text = await response.text();
      return new Response(edits[path]?.(text) ?? text, response);
    },
  });
  const wrong = await differences({ origin: server.url.origin, headers: STUB }, direct);
  expect(wrong.map((line) => line.split(":")[0])).toEqual([
    "small POST",
    "short turn",
    "paced stream",
    "response body of 10 MiB",
    "WebSocket turn",
    "WebSocket echo",
  ]);
});

describe("every load succeeds through the floor", () => {
  const target = () => ({ origin: floor.origin, headers: STUB });

  test("requests", async () => {
    for (const freshSessions of [false, true]) {
      const load = await prepareRequests({
        kind: "requests",
        ...target(),
        path: PATHS.turn,
        bodyBytes: 500,
        connections: 3,
        freshSessions,
      });
      expect(await load(10)).toEqual({});
    }
  });

  test("streams", async () => {
    const load = await prepareStreams({ kind: "streams", ...target(), streams: 4, everyMs: 1 });
    const figures = await load(40);
    expect(Object.keys(figures).sort()).toEqual([
      "delayP50",
      "delayP99",
      "firstP50",
      "firstP99",
      "gapP50",
      "gapP99",
    ]);
    for (const value of Object.values(figures)) expect(value).toBeFinite();
  });

  test("WebSockets", async () => {
    for (const exchange of ["turn", "echo"] as const) {
      const load = await prepareSockets({ kind: "sockets", ...target(), sockets: 3, exchange });
      expect(await load(10)).toEqual({});
    }
    const dials = await prepareDials({ kind: "dials", ...target() });
    expect((await dials(3)).dialP50).toBeFinite();
  });

  test("idle connections", async () => {
    for (const of of ["sockets", "streams"] as const)
      expect(await (await prepareIdle({ kind: "idle", ...target(), of }))(5)).toEqual({});
  });

  test("failovers, which the client performs itself without a proxy", async () => {
    const load = await prepareFailovers({ kind: "failovers", ...target() });
    expect((await load(3)).failoverP99).toBeFinite();
  });
});

test("a load fails when a response is not a success", async () => {
  const load = await prepareRequests({
    kind: "requests",
    origin: backend.origin,
    headers: STUB,
    path: PATHS.small,
    bodyBytes: 350,
    connections: 1,
  });
  expect(await outcome(load(1))).toThrow("status 401");
});
