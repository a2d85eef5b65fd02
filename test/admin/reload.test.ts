// Settings that change while the proxy runs.

import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { fakeClock } from "../support/clock.ts";
import { startPool } from "../support/pool.ts";

interface Status {
  readonly proxy_name: string;
  readonly policy: { readonly mode: string };
}

test("a running proxy reloads its settings and logs what changed", async () => {
  const clock = fakeClock();
  await using pool = await startPool({
    clock,
    accounts: [{ alias: "alice" }, { alias: "bob" }],
    config: '[proxy]\nname = "before"\n[policy]\nmode = "sticky"\n',
  });
  const status = async () => (await (await fetch(`${pool.url}/status`)).json()) as Status;
  const asName = async (host: string) => (await fetch(`${pool.url}/healthz`, { headers: { host } })).status;
  const write = (text: string) => {
    writeFileSync(pool.layout.config, text);
    clock.advance(1_100);
  };
  expect(await asName("proxy.lan")).toBe(421);

  write(
    '[proxy]\nname = "after"\nallowed_hosts = ["proxy.lan"]\nlisten = "127.0.0.1:9"\n[policy]\nmode = "round_robin"\n',
  );
  expect(await status()).toMatchObject({ proxy_name: "after", policy: { mode: "round_robin" } });
  expect(await asName("proxy.lan")).toBe(200);

  write('[policy]\nmode = "rund_robin"\n');
  expect(await status()).toMatchObject({ proxy_name: "after", policy: { mode: "round_robin" } });

  // From now on clients must authenticate.
  write('[proxy]\nname = "after"\nclient_auth = true\n');
  expect((await fetch(`${pool.url}/v1/models`)).status).toBe(401);

  const events = (await pool.stopAndReadEvents()).filter(({ event }) => event.startsWith("config."));
  expect(events.map(({ event }) => event)).toEqual([
    "config.reload_watcher_started",
    "config.reloaded",
    "config.reload_failed",
    "config.reloaded",
  ]);
  expect(events[1]?.fields).toMatchObject({ path: pool.layout.config, policy_mode: "round_robin" });
  expect(String(events[2]?.fields?.error)).toContain('line 2: policy.mode: "rund_robin" is not a policy');
});

test("the backend that the settings name is used from the next request on", async () => {
  const clock = fakeClock();
  await using pool = await startPool({
    clock,
    accounts: [{ alias: "alice" }],
    upstreamFlag: false,
    config: '[proxy]\nname = "x"\nupstream_base_url = "http://127.0.0.1:1/backend-api"\n',
  });
  const models = async () => (await fetch(`${pool.url}/v1/models`)).status;
  expect(await models()).toBe(502);
  writeFileSync(
    pool.layout.config,
    `[proxy]\nname = "x"\nupstream_base_url = "${pool.mock.baseUrl}"\nlisten = "127.0.0.1:9"\n`,
  );
  clock.advance(1_100);
  expect(await models()).toBe(200);
  const reloaded = (await pool.stopAndReadEvents()).find(({ event }) => event === "config.reloaded");
  expect(reloaded?.fields).toMatchObject({
    upstream_base_url: pool.mock.baseUrl,
    updated_account_base_url: 1,
  });
});

test("the log names the values in effect, also those of flags", async () => {
  const clock = fakeClock();
  await using pool = await startPool({ clock, accounts: [{ alias: "alice" }] });
  writeFileSync(pool.layout.config, '[proxy]\nname = "x"\n[policy]\nmode = "round_robin"\n');
  clock.advance(1_100);
  await fetch(`${pool.url}/healthz`);
  const reloaded = (await pool.stopAndReadEvents()).find(({ event }) => event === "config.reloaded");
  expect(reloaded?.fields).toMatchObject({
    policy_mode: "round_robin",
    upstream_base_url: pool.mock.baseUrl,
  });
});
