// login-with and real Codex: Codex begins the sign-in and exchanges the code, and the executable controls Chromium.

import { expect } from "bun:test";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { systemDeps } from "../../src/deps.ts";
import { startMock } from "../../src/mock/backend.ts";
import { MOCK_PASSWORD } from "../../src/mock/sign-in.ts";
import { executable } from "../support/executable.ts";
import { gated } from "../support/gated.ts";
import { CODEX_VERSIONS, codexBinary, whyNoCodex } from "./codex-binaries.ts";
import { startSignInProxy } from "./sign-in-proxy.ts";

const chromium = Bun.which("chromium");
const missing = chromium === null ? "chromium" : Bun.which("openssl") === null ? "openssl" : undefined;
const { beforeAll, test } = gated(
  "login-with and real Codex",
  missing === undefined ? whyNoCodex(CODEX_VERSIONS.today) : `${missing} is not installed`,
);

let today = "";
beforeAll(async () => {
  today = await codexBinary(CODEX_VERSIONS.today);
}, 300_000);

test("real Codex begins the login, and its result is enrolled", async () => {
  using tool = executable();
  const mock = startMock({ accounts: [{ alias: "alice" }], clock: systemDeps().clock });
  const directory = join(tool.directory, "tls");
  mkdirSync(directory);
  await using way = startSignInProxy(directory, mock.origin, chromium ?? "");
  if (way === undefined) throw new Error("openssl is not installed");
  const login = async (password: string) => {
    const child = Bun.spawn(
      [
        ...[tool.path, "login-with", "work", "--username", "alice@example.com", "--password-stdin"],
        ...["--browser", way.browser, "--codex-bin", today, "--no-host-home"],
      ],
      {
        cwd: tool.directory,
        env: tool.env(way.env),
        stdin: new Blob([`${password}\n`]),
        stdout: "pipe",
        stderr: "pipe",
      },
    );
    const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    return { code, out, err };
  };
  const wrong = await login("not it");
  expect({ code: wrong.code, err: wrong.err.slice(-400) }).toMatchObject({ code: 14 });
  const ran = await login(MOCK_PASSWORD);
  expect({ code: ran.code, err: ran.code === 0 ? "" : ran.err }).toEqual({ code: 0, err: "" });
  expect(ran.out).toBe("registered account work (total=1)\n");
  expect(way.seen).toContain("POST /oauth/token");
  expect(way.seen).toContain("GET /oauth/authorize");
  expect((await tool.run(["account", "list"])).out).toStartWith(
    "work\topenai:work\talice@example.com\tready",
  );
  expect(readdirSync(join(tool.root, "logins"))).toEqual([]);
  await mock.stop();
});
