// Real Codex over several turns on accounts whose model catalogues differ.

import { expect } from "bun:test";
import { gated } from "../support/gated.ts";
import { tempDirectory } from "../support/temp.ts";
import { startAppServer, startThread } from "./app-server.ts";
import { CODEX_VERSIONS, codexBinary, whyNoCodex } from "./codex-binaries.ts";
import { type Recorder, startRecorder } from "./recorder.ts";
import { NO_WEBSOCKET, startReal } from "./setup.ts";

const { afterAll, beforeAll, test } = gated("real Codex, catalogues", whyNoCodex(CODEX_VERSIONS.newest));

interface Model {
  readonly slug: string;
  readonly visibility: string;
}

let codex = "";
let recorder: Recorder;
/** Three models of Codex's own catalogue. */
let models: readonly [Model, Model, Model];

beforeAll(async () => {
  codex = await codexBinary(CODEX_VERSIONS.newest);
  recorder = await startRecorder();
  using home = tempDirectory();
  const env = { PATH: process.env.PATH ?? "", HOME: home.path, CODEX_HOME: home.path };
  const listed = Bun.spawn([codex, "debug", "models"], { env, stdin: "ignore", stderr: "ignore" });
  const all = (JSON.parse(await listed.stdout.text()) as { models: Model[] }).models;
  const [first, second, third] = all.filter(({ visibility }) => visibility === "list");
  if (first === undefined || second === undefined || third === undefined)
    throw new Error("Codex's own catalogue has fewer than three models");
  models = [first, second, third];
}, 300_000);

afterAll(() => recorder[Symbol.asyncDispose]());

test.each([
  ["WebSocket", [], "message"],
  ["server-sent events", [NO_WEBSOCKET], "sse"],
] as const)(
  "Codex over %s offers the models of both accounts, and fetches them again only when they change",
  async (_name, faults, point) => {
    const [first, second, third] = models;
    const accounts = [
      { alias: "alice", models: { models: [first, second] } },
      { alias: "bob", models: { models: [second, third] } },
    ];
    await using setup = await startReal(recorder, accounts);
    setup.mock.faults.add(...faults);
    const asked = (alias: string) => setup.points("models").filter((account) => account === alias).length;
    /** The number of requests from Codex for the catalogue. */
    const fetched = async () => {
      const { out } = await setup.tool.run(["proxy", "logs", "--tail", "0", "--limit", "2000"]);
      return out.split("\n").filter((line) => line.includes("request.received") && line.includes("/models"))
        .length;
    };
    await using server = startAppServer(setup, codex, recorder.url);
    const thread = await startThread(server, setup, second.slug);
    const turnOn = async (alias: string) => {
      await setup.tool.run(["account", "pin", alias]);
      await thread.turn("hello");
    };
    await turnOn("alice");
    const listed = await thread.models();
    for (const { slug } of models) expect(listed).toContain(slug);
    const atStart = await fetched();
    for (const alias of ["bob", "alice", "bob", "bob", "alice"]) await turnOn(alias);
    expect(new Set(setup.points(point))).toEqual(new Set(["alice", "bob"]));
    expect(await fetched()).toBe(atStart);
    expect([asked("alice"), asked("bob")]).toEqual([1, 1]);

    setup.mock.accounts.byAlias("bob").models = { models: [first, second] };
    for (const alias of ["alice", "bob", "bob", "alice", "bob", "alice"]) await turnOn(alias);
    expect(await fetched()).toBe(atStart + 1);
    expect(await thread.models()).not.toContain(third.slug);
  },
  120_000,
);
