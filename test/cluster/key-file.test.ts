// The paths of cluster.key_file and CODEXLB_CLUSTER_KEY_FILE: for commands, and for a proxy in the foreground or in the
// background, whose working directories differ. And the checks of the key without a server.

import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCli } from "../support/cli.ts";
import { type Executable, executable } from "../support/executable.ts";
import { startRedis, whyNoRedis } from "../support/redis.ts";
import { done } from "../support/replicas.ts";
import { tempDirectory } from "../support/temp.ts";

const KEY = Buffer.alloc(32, 5).toString("base64");
const URL = "redis://127.0.0.1:1/0";

const configure = (root: string, text: string) => {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  writeFileSync(join(root, "config.toml"), text, { mode: 0o600 });
};

/** Creates a pool and starts its replica in the foreground and in the background. `key`: where the key must be then. */
async function usesKey(tool: Executable, key: string, env?: Record<string, string>): Promise<void> {
  await done(tool.run(["cluster", "init", "--empty"], env));
  expect(statSync(key).mode & 0o777).toBe(0o600);
  await (await tool.start(["proxy", "--listen", "127.0.0.1:0"], env)).stop();
  await done(tool.run(["proxy", "start", "--listen", "127.0.0.1:0"], env));
  await done(tool.run(["proxy", "restart"], env));
  await done(tool.run(["cluster", "status"], env));
  await done(tool.run(["proxy", "stop"], env));
}

describe.skipIf(whyNoRedis !== undefined)("the key file", () => {
  test.each([
    ["pool.key", "root/pool.key"],
    ["~/pool.key", "home/pool.key"],
  ])(
    "%j in config.toml is %s for commands and proxies",
    async (path, place) => {
      await using redis = await startRedis();
      using tool = executable();
      configure(tool.root, `[cluster]\nurl = "${redis.url}"\nkey_file = "${path}"\n`);
      await usesKey(tool, join(tool.directory, place));
    },
    60_000,
  );

  test("in CODEXLB_CLUSTER_KEY_FILE is relative to the working directory, also for a proxy in the background", async () => {
    await using redis = await startRedis();
    using tool = executable();
    const env = { CODEXLB_CLUSTER_URL: redis.url, CODEXLB_CLUSTER_KEY_FILE: "here.key" };
    await usesKey(tool, join(tool.directory, "here.key"), env);
    expect(existsSync(join(tool.root, "here.key"))).toBe(false);
  }, 60_000);
});

describe("codexlb config check", () => {
  const check = async (settings: string, key?: { readonly text: string; readonly mode: number }) => {
    using temp = tempDirectory();
    const root = join(temp.path, "home", ".codex-lb");
    configure(root, `[cluster]\n${settings}`);
    if (key !== undefined) {
      writeFileSync(join(root, "pool.key"), key.text);
      chmodSync(join(root, "pool.key"), key.mode);
    }
    const { code, err } = await runCli(["config", "check"], { cwd: temp.path });
    return { code, err: err.replaceAll(root, "ROOT") };
  };
  const withFile = `url = "${URL}"\nkey_file = "pool.key"\n`;

  test("refuses a cluster without a key", async () => {
    expect(await check(`url = "${URL}"\n`)).toEqual({
      code: 1,
      err: "codexlb: the cluster has no key\n  set cluster.key_file in config.toml, or CODEXLB_CLUSTER_KEY\n",
    });
  });

  test("refuses a key that is damaged, or that other users can read", async () => {
    expect((await check(withFile, { text: "garbage", mode: 0o600 })).err).toStartWith(
      "codexlb: the cluster's key in ROOT/pool.key is not 32 bytes in base64\n",
    );
    expect((await check(withFile, { text: KEY, mode: 0o644 })).err).toBe(
      "codexlb: other users can access the cluster's key in ROOT/pool.key\n  run: chmod 600 ROOT/pool.key\n",
    );
  });

  test("accepts a usable key, and one that cluster init will create", async () => {
    expect((await check(withFile, { text: KEY, mode: 0o600 })).code).toBe(0);
    expect((await check(withFile)).code).toBe(0);
  });
});
