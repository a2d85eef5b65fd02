// Real Codex with an HTTP proxy in the environment. It must still reach the codexlb proxy on this machine, which the
// HTTP proxy cannot.

import { expect } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gated } from "../support/gated.ts";
import { CODEX_VERSIONS, codexBinary, whyNoCodex } from "./codex-binaries.ts";
import { type Recorder, startRecorder } from "./recorder.ts";
import { BYPASS, expectTurn, startReal } from "./setup.ts";

const { afterAll, beforeAll, describe, test } = gated(
  "real Codex behind an HTTP proxy",
  whyNoCodex(CODEX_VERSIONS.newest, CODEX_VERSIONS.today),
);

/** A port without a server. */
const DEAD = "http://127.0.0.1:9";

let binaries: string[] = [];
let recorder: Recorder;
beforeAll(async () => {
  binaries = [await codexBinary(CODEX_VERSIONS.newest), await codexBinary(CODEX_VERSIONS.today)];
  recorder = await startRecorder();
}, 300_000);
afterAll(() => recorder[Symbol.asyncDispose]());

const EXEC = ["exec", ...BYPASS, "hello"];

describe("real Codex behind an HTTP proxy that refuses connections", () => {
  test.each(["HTTP_PROXY", "http_proxy", "ALL_PROXY"])(
    "completes its turn when %s names it",
    async (name) => {
      await using s = await startReal(recorder);
      for (const binary of binaries) expectTurn(await s.codexArgs(binary, EXEC, { [name]: DEAD }), "alice");
    },
  );

  test("completes its turn when the shell profile sets the proxy and its own NO_PROXY", async () => {
    await using s = await startReal(recorder);
    const home = join(s.tool.directory, "home-with-proxy");
    mkdirSync(home);
    writeFileSync(join(home, ".profile"), `export HTTP_PROXY=${DEAD} NO_PROXY=.corp.example\n`);
    for (const binary of binaries) expectTurn(await s.codexArgs(binary, EXEC, { HOME: home }), "alice");
  });

  test("is reported with its .env if that sets NO_PROXY and so sends everything to the proxy", async () => {
    await using s = await startReal(recorder);
    const [newest = ""] = binaries;
    expectTurn(await s.codexArgs(newest, EXEC), "alice");
    const dotenv = join(s.tool.root, "codex-home", ".env");
    writeFileSync(dotenv, `HTTP_PROXY=${DEAD}\n`);
    expectTurn(await s.codexArgs(newest, EXEC), "alice");
    writeFileSync(dotenv, `HTTP_PROXY=${DEAD}\nNO_PROXY=.corp.example\n`);
    const ran = await s.codexArgs(newest, EXEC);
    expect(ran.code).not.toBe(0);
    expect(ran.err).toEndWith(
      `${dotenv} sets HTTP_PROXY, NO_PROXY; in Codex this file overrides the environment set by codexlb\n`,
    );
  }, 120_000);
});
