// A stolen engine is worth nothing: neither its dump nor its append-only file shows a secret, address or name.

import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createSseClient } from "../../src/mock/client.ts";
import { until } from "../support/pool.ts";
import { whyNoRedis } from "../support/redis.ts";
import { done, startReplicas } from "../support/replicas.ts";

const filesIn = (directory: string): string[] =>
  readdirSync(directory, { recursive: true })
    .map((name) => join(directory, String(name)))
    .filter((path) => statSync(path).isFile());

test.skipIf(whyNoRedis !== undefined)(
  "a dump and an append-only file of the engine have nothing in clear",
  async () => {
    const engine = ["--appendonly", "yes", "--rdbcompression", "no"];
    await using pool = await startReplicas({
      aliases: ["canary@example.com", "canary-two"],
      engine,
      tokenSeconds: 20,
    });
    const [a, b] = pool.list;
    const home = join(pool.tool.directory, "login-more");
    mkdirSync(home);
    writeFileSync(join(home, "auth.json"), pool.mock.authFile("canary-two"), { mode: 0o600 });
    writeFileSync(join(home, "config.toml"), 'model = "canary-model"\n');
    await done(a!.run("account", "import", "--replace", "--from", home, "canary-two"));
    await done(
      a!.run(
        "account",
        "set",
        "canary-two",
        "--note",
        "canary-note",
        "--outbound-proxy",
        "http://u:canarypw@p:1",
      ),
    );
    const { out: key } = await done(b!.run("key", "add", "canary-key"));
    await done(b!.run("account", "pin", "canary@example.com"));
    await createSseClient(a!.url, "canary-session").turn("hello");
    await until(
      "the engine has the record of the turn",
      async () => (await pool.redis.cli("EXISTS", "{codexlb:default}:usage")) === "1",
      20_000,
    );
    await until("the engine has the key", async () =>
      (await a!.run("key", "list")).out.includes("canary-key"),
    );
    pool.mock.faults.add({ on: "turn", account: "canary-two", answer: { status: 500 } });
    const client = createSseClient(b!.url, "canary-session");
    await client.turn("canary-text", "canary-slug");
    await until(
      "the engine has signals of the session and of its accounts",
      async () => Number(await pool.redis.cli("HLEN", "{codexlb:default}:signals")) >= 3,
    );
    await pool.redis.cli("SAVE");
    const secrets = new Set([
      "canary",
      "example.com",
      "mock-refresh",
      key.trim(),
      "refresh_token",
      "auth.json",
    ]);
    for (const { layout } of pool.list) {
      for (const path of filesIn(layout.accounts).filter((name) => name.endsWith("auth.json"))) {
        const { tokens } = JSON.parse(readFileSync(path, "utf8"));
        for (const token of Object.values(tokens as Record<string, string>)) secrets.add(token);
      }
      const { keys } = JSON.parse(readFileSync(layout.keys, "utf8"));
      secrets.add(keys[0].sha256);
      secrets.add(readFileSync(layout.signingKey, "utf8").trim());
    }
    secrets.add(readFileSync(join(pool.tool.directory, "pool.key"), "utf8").trim());
    const dumps = filesIn(pool.redis.directory);
    expect(dumps.some((path) => path.endsWith(".rdb"))).toBe(true);
    expect(dumps.some((path) => path.includes("appendonly"))).toBe(true);
    expect(dumps.map((path) => readFileSync(path, "latin1")).join("")).toContain("{codexlb:default}:records");
    expect(dumps.map((path) => readFileSync(path, "latin1")).join("")).toContain("{codexlb:default}:signals");
    for (const path of dumps) {
      const text = readFileSync(path, "latin1");
      for (const secret of secrets) {
        expect([path, secret, text.includes(secret)]).toEqual([path, secret, false]);
        const encoded = Buffer.from(secret).toString("base64").replace(/=+$/, "").slice(0, -1);
        expect([path, secret, text.includes(encoded)]).toEqual([path, secret, false]);
      }
    }
    // What the replicas print and log has none of it either.
    const printed = await Promise.all(pool.list.map((replica) => replica.stop()));
    const logs = pool.list.map(({ layout }) => readFileSync(layout.events, "utf8"));
    const status = await pool.tool.run(["cluster", "status", "--root", a!.layout.root], pool.env);
    for (const text of [...logs, status.out, ...printed.map(({ out, err }) => out + err)])
      for (const secret of [...secrets].filter((one) => one.length > 20)) expect(text).not.toContain(secret);
  },
  60_000,
);
