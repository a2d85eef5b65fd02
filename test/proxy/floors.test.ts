// Floors of accounts over both transports: sessions leave an account at its floor, and the refusal of a pool whose floors
// are never spent.

import { expect, test } from "bun:test";
import { createSocketClient, createSseClient } from "../../src/mock/client.ts";
import { takeTurn } from "../faults/codex-like.ts";
import { startPool } from "../support/pool.ts";

const ACCOUNTS = [
  { alias: "alice", turns: 4 },
  { alias: "bob", turns: 4 },
];
const FLOORS = "[accounts.alice]\npriority = 1\nfloor_daily = 50\n[accounts.bob]\nfloor_daily = 50\n";

for (const [transport, create] of [
  ["SSE", createSseClient],
  ["WebSocket", createSocketClient],
] as const) {
  test(`over ${transport} a session moves at the floor, and floors give way last`, async () => {
    await using pool = await startPool({ accounts: ACCOUNTS, config: FLOORS });
    const client = create(pool.url, "one");
    const served: string[] = [];
    for (let turn = 0; turn < 8; turn++) served.push(await client.turn("hi"));
    client.close();
    expect(served.map((text) => text.slice("Hello from ".length))).toEqual([
      ...["alice", "alice", "bob", "bob"], // down to the floors
      ...["bob", "bob", "alice", "alice"], // below them, one account after the other
    ]);
    const { accounts } = await pool.status();
    expect(accounts).toMatchObject([{ exhausted: ["daily"] }, { exhausted: ["daily"] }]);
    const events = await pool.stopAndReadEvents();
    const moves = events.filter(({ event }) => event === "request.switched");
    expect(moves.map(({ fields }) => [fields?.from, fields?.to, fields?.reason, fields?.window])).toEqual([
      ["alice", "bob", "floor", "daily"],
      ["bob", "alice", "exhausted", "daily"],
    ]);
  });
}

test("floors that are never spent end in Codex's own usage limit, and the status says when they are back", async () => {
  await using pool = await startPool({
    accounts: ACCOUNTS,
    config: `[policy]\nspend_floors = "never"\n${FLOORS}`,
  });
  const client = createSseClient(pool.url, "one");
  for (let turn = 0; turn < 4; turn++) await client.turn("hi");
  for (const transport of ["sse", "websocket"] as const) {
    const seen = await takeTurn(
      { url: pool.url, session: "two", waited: () => {}, hadOutput: () => {} },
      transport,
    );
    expect(seen.servedBy).toBeUndefined();
    expect(seen.shown).toEqual(["You've hit your usage limit"]);
  }
  const { accounts } = await pool.status();
  expect(accounts).toMatchObject([
    { at_floor: ["daily"], kept_back: true, daily_left_pct: 50 },
    { at_floor: ["daily"], kept_back: true, daily_left_pct: 50 },
  ]);
});
