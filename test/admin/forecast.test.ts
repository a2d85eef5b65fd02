// Where a proxy shows its forecasts, and to whom.

import { expect, test } from "bun:test";
import { remoteKeys, remoteStatus, remoteUsage } from "../../src/admin/client.ts";
import { socketDoor } from "../../src/admin/door.ts";
import { createCredential } from "../../src/admin/proving.ts";
import { systemDeps } from "../../src/deps.ts";
import { createSseClient } from "../../src/mock/client.ts";
import { skippingClock } from "../support/clock.ts";
import { startPool } from "../support/pool.ts";

test("the forecast is in the status, in the account's details, and in the usage that may name accounts", async () => {
  const clock = skippingClock();
  await using pool = await startPool({
    accounts: [{ alias: "alice" }, { alias: "bob" }],
    config: "[proxy]\nclient_auth = true\n",
    clock,
  });
  const socket = socketDoor(pool.layout.adminSocket);
  const key = await remoteKeys(socket).add("laptop", "client");
  await createSseClient(pool.url, "s", { authorization: `Bearer ${key}` }).turn("hello");
  expect((await remoteStatus(socket)).forecast).toBeUndefined();
  clock.skip(1_000);
  // The forecast is made in the background.
  while ((await remoteStatus(socket)).forecast === undefined);

  const status = await remoteStatus(socket);
  expect(status.forecast).toMatchObject({ accounts: expect.any(Number), left_out: expect.any(Number) });
  const alice = status.accounts.find(({ alias }) => alias === "alice")?.forecast;
  expect(alice?.map(({ window }) => window)).toEqual(["daily", "weekly"]);
  expect((await pool.accounts.show("alice")).status.forecast).toEqual(alice);

  const now = clock.now();
  const period = { sinceMs: 0, untilMs: now + 1_000_000, by: "day" } as const;
  expect((await remoteUsage(socket, period)).forecast?.accounts.map(({ alias }) => alias).sort()).toEqual([
    "alice",
    "bob",
  ]);
  const one = (await remoteUsage(socket, { ...period, account: "bob" })).forecast;
  expect(one).toEqual({ accounts: [{ alias: "bob", windows: expect.any(Array) }] });
  expect((await remoteUsage(socket, { ...period, untilMs: now - 1_000 })).forecast).toBeUndefined();
  const credential = createCredential({ ...systemDeps(), secret: key, origin: "given" });
  expect((await remoteUsage({ url: pool.url, credential }, period)).forecast).toBeUndefined();
});
