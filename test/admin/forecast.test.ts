// Where a proxy shows its forecasts, and to whom.

import { expect, test } from "bun:test";
import { remoteKeys, remoteStatus, remoteUsage } from "../../src/admin/client.ts";
import { socketDoor } from "../../src/admin/door.ts";
import { createCredential } from "../../src/admin/proving.ts";
import { formatHops, HOPS_HEADER } from "../../src/core/hops.ts";
import type { StatusAnswer } from "../../src/core/status-schema.ts";
import { systemDeps } from "../../src/deps.ts";
import { createSseClient } from "../../src/mock/client.ts";
import { startPool } from "../support/pool.ts";

test("the forecast is in the status, in the account's details, and in the usage that may name accounts", async () => {
  await using pool = await startPool({
    accounts: [{ alias: "alice" }, { alias: "bob" }],
    config: "[proxy]\nclient_auth = true\n",
  });
  const socket = socketDoor(pool.layout.adminSocket);
  const key = await remoteKeys(socket).add("laptop", "client");
  const parentKey = await remoteKeys(socket).add("front", "parent");
  await createSseClient(pool.url, "s", { authorization: `Bearer ${key}` }).turn("hello");
  // On a busy machine the first answer may come without it.
  while ((await remoteStatus(socket)).forecast === undefined);

  const status = await remoteStatus(socket);
  expect(status.forecast).toMatchObject({ accounts: expect.any(Number), left_out: expect.any(Number) });
  const alice = status.accounts.find(({ alias }) => alias === "alice")?.forecast;
  expect(alice?.map(({ window }) => window)).toEqual(["daily", "weekly"]);
  expect((await pool.accounts.show("alice")).status.forecast).toEqual(alice);

  const now = Date.now();
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
  // A proxy in front makes its own forecasts.
  const parent = await fetch(`${pool.url}/status`, {
    headers: {
      [HOPS_HEADER]: formatHops([{ name: "front", id: "1" }]),
      authorization: `Bearer ${parentKey}`,
    },
  });
  expect(((await parent.json()) as StatusAnswer).accounts.map(({ forecast }) => forecast)).toEqual([
    undefined,
    undefined,
  ]);
});
