// Commands with a proxy of another version: the messages if the two do not understand each other.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import { runCli } from "../support/cli.ts";
import { foreignProxy, unknownPath } from "../support/foreign-proxy.ts";
import { type TempDirectory, tempDirectory } from "../support/temp.ts";

const NOTE =
  "the proxy runs version 9.9.9, and this command is version dev; codexlb doctor says how to restart the proxy\n";

let temp: TempDirectory;
beforeEach(() => {
  temp = tempDirectory();
});
afterEach(() => temp[Symbol.dispose]());

/** A proxy of `version`, and commands for its root. */
function proxyOf(version: string, answer: (path: string) => Response) {
  const root = join(temp.path, "root");
  const proxy = foreignProxy(root, version, answer);
  const cli = (...args: string[]) => runCli(args, { cwd: temp.path, env: { CODEXLB_ROOT: root } });
  return { cli, [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose]() };
}

test("a request that the proxy does not know is an error that names both versions", async () => {
  await using proxy = proxyOf("9.9.9", unknownPath);
  expect(await proxy.cli("key", "list")).toEqual({
    code: 1,
    out: "",
    err: `codexlb: admin endpoint not found\n  ${NOTE}`,
  });
});

test("an answer in another shape is an error that names both versions", async () => {
  await using proxy = proxyOf("9.9.9", () => Response.json({ keys: "elsewhere" }));
  const { code, err } = await proxy.cli("key", "list");
  expect([code, err]).toEqual([1, expect.stringContaining(`does not answer like a codexlb proxy: `)]);
  expect(err).toEndWith(`\n  ${NOTE}`);
});

test("an answer to a pin that names the account only in its message is understood", async () => {
  const account = { id: "openai:bob", alias: "bob", enabled: false, disabled_reason: "token expired" };
  await using proxy = proxyOf("9.9.9", (path) =>
    Response.json(
      path === "/admin/accounts"
        ? { accounts: [account] }
        : { ok: true, message: "pinned account bob", total: 1 },
    ),
  );
  expect(await proxy.cli("account", "pin", "openai:bob")).toEqual({
    code: 0,
    out: "pinned account bob\n",
    err: "codexlb: warning: bob cannot serve (disabled: token expired); other accounts serve until it is available again\n",
  });
});

test("the same version is not mentioned", async () => {
  await using proxy = proxyOf("dev", unknownPath);
  expect((await proxy.cli("key", "list")).err).toBe(
    "codexlb: admin endpoint not found\n  for the cause, read the log of that proxy: codexlb proxy logs\n",
  );
});

test("doctor names both versions, and how to restart the proxy", async () => {
  await using proxy = proxyOf("9.9.9", unknownPath);
  const { out } = await proxy.cli("doctor");
  expect(out).toContain(
    "proxy: warning (other on http://127.0.0.1:1, process 4711, runs version 9.9.9, and this command is version dev)\n    restart it: kill 4711, then start codexlb proxy again\n",
  );
  expect(out).toContain(`admin API: bad (admin endpoint not found)\n    ${NOTE}`);
});
