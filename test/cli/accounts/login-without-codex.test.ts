// `codexlb account login` on a machine without codex.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemDeps } from "../../../src/deps.ts";
import { type MockBackend, startMock } from "../../../src/mock/backend.ts";
import { runCli } from "../../support/cli.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";

let temp: TempDirectory;
let mock: MockBackend;

beforeAll(() => {
  temp = tempDirectory();
  mkdirSync(join(temp.path, "home"));
  mock = startMock({ accounts: [{ alias: "alice" }], clock: systemDeps().clock });
});
afterAll(async () => {
  await mock.stop();
  temp[Symbol.dispose]();
});

const login = (args: readonly string[], env: Record<string, string> = {}) =>
  runCli(["account", "login", ...args], {
    cwd: temp.path,
    env: {
      PATH: "/nowhere",
      CODEXLB_ROOT: join(temp.path, "root"),
      CODEXLB_ISSUER: mock.origin,
      CODEXLB_TOKEN_URL: mock.tokenUrl,
      ...env,
    },
  });

test("--device-auth prints the page and the code, and enrols the account", async () => {
  const ran = await login(["work", "--device-auth"]);
  expect(ran).toMatchObject({ code: 0, err: `codexlb: created ${join(temp.path, "root")}\n` });
  expect(ran.out).toBe(
    `codex does not support CODEXLB_ISSUER; codexlb logs in itself.\nOpen ${mock.origin}/codex/device in any browser and enter the code MOCK-CODE\nregistered account work (total=1)\n`,
  );
});

test("an argument that only codex understands is refused", async () => {
  const ran = await login(["work", "--with-api-key"]);
  expect(ran.code).toBe(1);
  expect(ran.err).toContain(
    "codex does not support CODEXLB_ISSUER, and only codex supports the argument --with-api-key",
  );
});

test("a missing codex is an error if the user named it", async () => {
  const ran = await login(["work"], { CODEXLB_CODEX_BIN: "/nowhere/codex" });
  expect(ran.code).toBe(1);
  expect(ran.err).toContain("executable file not found");
});

test("a codex that ignores CODEXLB_ISSUER is not used, unless the user names it", async () => {
  const bin = join(temp.path, "bin");
  const ran = join(temp.path, "codex-ran");
  mkdirSync(bin);
  writeFileSync(join(bin, "codex"), `#!/bin/sh\n: > ${ran}\nexit 3\n`, { mode: 0o755 });
  const own = await login(["work", "--device-auth"], { PATH: bin });
  expect(own).toMatchObject({ code: 0, err: "" });
  expect(existsSync(ran)).toBe(false);
  const named = await login(["work"], { CODEXLB_CODEX_BIN: join(bin, "codex") });
  expect(named.code).toBe(1);
  expect(named.err).toContain("codex login exited with code 3");
  expect(existsSync(ran)).toBe(true);
});

test("an invalid or unreachable sign-in is reported", async () => {
  expect(await login(["work", "--device-auth"], { CODEXLB_ISSUER: "nonsense" })).toMatchObject({
    code: 2,
    err: 'codexlb: CODEXLB_ISSUER: "nonsense" is not an http(s) URL\n  set it to an http(s) URL, or unset it\n',
  });
  const dead = await login(["work", "--device-auth"], { CODEXLB_ISSUER: "http://127.0.0.1:1" });
  expect(dead.code).toBe(1);
  expect(dead.err).toContain(
    "connecting to http://127.0.0.1:1 failed: connection refused\n  check the network with: codexlb doctor",
  );
});
