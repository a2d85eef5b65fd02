// Tests who may read the metrics, and that a key for metrics opens nothing else.

import { expect, test } from "bun:test";
import { remoteKeys } from "../../src/admin/client.ts";
import { socketDoor } from "../../src/admin/door.ts";
import { createCredential } from "../../src/admin/proving.ts";
import { systemDeps } from "../../src/deps.ts";
import { createSseClient } from "../../src/mock/client.ts";
import { startPool } from "../support/pool.ts";
import { samplesIn, scrape, sumOf } from "../support/scrape.ts";

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

for (const clientAuth of [true, false]) {
  const config = `[proxy]\nname = "p"\nclient_auth = ${clientAuth}\n`;
  test(`only the admin token and a key of role metrics read the metrics (client_auth = ${clientAuth})`, async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }], config });
    const keys = remoteKeys(socketDoor(pool.layout.adminSocket));
    const read = async (headers: Record<string, string>, path = "/metrics", method = "GET") => {
      const answer = await fetch(pool.url + path, { headers, method });
      const text = await answer.text();
      const { code } = (text.startsWith("{") ? JSON.parse(text) : {}) as { code?: string };
      return code === undefined ? answer.status : [answer.status, code];
    };
    const [metrics, client, parent] = [
      await keys.add("prometheus", "metrics"),
      await keys.add("laptop", "client"),
      await keys.add("front", "parent"),
    ];
    expect(await read({})).toEqual([401, "unauthorized"]);
    expect(await read(bearer(`clb_${"x".repeat(43)}`))).toEqual([401, "unauthorized"]);
    expect(await read(bearer(client))).toEqual([401, "key_role_refused"]);
    expect(await read(bearer(parent))).toEqual([401, "key_role_refused"]);
    expect(await read({ ...bearer(parent), "x-codexlb-target-proxy-name": "p" })).toEqual([
      401,
      "key_role_refused",
    ]);
    expect(await read(bearer(metrics))).toBe(200);
    expect(await read(bearer(pool.adminToken))).toBe(200);
    expect(await read(bearer(metrics), "/metrics", "HEAD")).toBe(200);
    expect(await read(bearer(metrics), "/metrics", "POST")).toEqual([405, "method_refused"]);
    expect(await read(bearer(metrics), "/metrics/all")).not.toBe(200);
    await keys.remove("prometheus");
    expect(await read(bearer(metrics))).toEqual([401, "unauthorized"]);
  });
}

test("the socket of the root needs no key", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }] });
  const answer = await fetch("http://localhost/metrics", { unix: pool.layout.adminSocket });
  expect(await answer.text()).toContain("codexlb_build_info");
});

test("a key of role metrics sends no requests, reads no status, and opens no path of the admin API", async () => {
  await using pool = await startPool({
    accounts: [{ alias: "alice" }],
    config: '[proxy]\nname = "p"\nclient_auth = true\n',
  });
  const key = await remoteKeys(socketDoor(pool.layout.adminSocket)).add("prometheus", "metrics");
  const named = { "x-codexlb-target-proxy-name": "p" };
  for (const [method, path, headers, status] of [
    ["POST", "/backend-api/codex/responses", {}, 401],
    ["GET", "/backend-api/wham/usage", {}, 401],
    ["GET", "/v1/models", {}, 401],
    ["GET", "/status", {}, 401],
    ["GET", "/health/auth-runtime", {}, 401],
    ["GET", "/admin/runtime-auth", {}, 403],
    ["GET", "/admin/usage", {}, 403],
    ["GET", "/admin/accounts", {}, 403],
    ["GET", "/admin/accounts", named, 403],
    ["GET", "/logs", named, 403],
    ["POST", "/admin/key/add", named, 403],
  ] as const) {
    const answer = await fetch(pool.url + path, {
      method,
      headers: { ...headers, ...bearer(key), "content-type": "application/json" },
      ...(method === "POST" ? { body: "{}" } : {}),
    });
    await answer.arrayBuffer();
    expect([method, path, answer.status]).toEqual([method, path, status]);
  }
  expect(pool.mock.requests.filter(({ path }) => path.includes("responses"))).toEqual([]);
});

test("a proof of a key of role metrics opens the metrics, too", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }] });
  const secret = await remoteKeys(socketDoor(pool.layout.adminSocket)).add("prometheus", "metrics");
  const credential = createCredential({ ...systemDeps(), secret, origin: "given" });
  const asked = { method: "GET", target: "/metrics", proxyName: "", bodySha256: EMPTY_SHA256 };
  const shown = await credential.authorize(pool.url, asked, undefined);
  const answer = await fetch(`${pool.url}/metrics`, { headers: { authorization: shown ?? "" } });
  await answer.arrayBuffer();
  expect(answer.status).toBe(200);
});

test("refusals are counted by their code", async () => {
  await using pool = await startPool({
    accounts: [{ alias: "alice" }],
    config: '[proxy]\nname = "p"\nclient_auth = true\n',
  });
  const key = await remoteKeys(socketDoor(pool.layout.adminSocket)).add("laptop", "client");
  await createSseClient(pool.url, "s1", bearer(`clb_${"x".repeat(43)}`))
    .turn("hello")
    .catch(() => {});
  for (const path of ["/status", "/metrics", "/admin/accounts"])
    await (await fetch(pool.url + path, { headers: bearer(key) })).arrayBuffer();
  await (await fetch(`${pool.url}/status`, { headers: { origin: "http://evil.example" } })).arrayBuffer();
  const samples = samplesIn(await scrape(pool.url, pool.adminToken));
  const refused = (reason: string) => sumOf(samples, "codexlb_refusals_total", { reason });
  expect(["unauthorized", "key_role_refused", "admin_role_required", "origin_refused"].map(refused)).toEqual([
    1, 2, 1, 1,
  ]);
  expect(sumOf(samples, "codexlb_requests_total", { answered_by: "proxy", status: "4xx" })).toBe(5);
});

const EMPTY_SHA256 = new Bun.CryptoHasher("sha256").update("").digest("hex");
