// What people see as a switch: the events, the history in the status, and the console's lines are about turns only, and
// agree with each other.

import { expect, test } from "bun:test";
import { createSocketClient, createSseClient, type TurnClient } from "../../src/mock/client.ts";
import { takeTurn } from "../faults/codex-like.ts";
import { limitBody, startPool, type TestPool } from "../support/pool.ts";

const ACCOUNTS = { accounts: [{ alias: "alice" }, { alias: "bob" }, { alias: "carol" }] };
const CLIENTS: Record<"sse" | "websocket", (url: string, session: string) => TurnClient> = {
  sse: createSseClient,
  websocket: createSocketClient,
};
/** How a response ends early. */
const CUT = { sse: "finish", websocket: "close" } as const;
const EXHAUSTED = { status: 429, body: { error: limitBody(Math.floor(Date.now() / 1000) + 3_600) } };

/** The history of the status and the events of the log as `from to reason`, oldest first. */
async function switchesOf(pool: TestPool) {
  const status = (await (await fetch(`${pool.url}/status`, { proxy: false })).json()) as {
    readonly switches?: readonly { readonly from: string; readonly to: string; readonly reason: string }[];
  };
  const events = await pool.stopAndReadEvents();
  return {
    history: (status.switches ?? []).map(({ from, to, reason }) => `${from} ${to} ${reason}`).reverse(),
    log: events
      .filter(({ event }) => event === "request.switched")
      .map(({ fields }) => `${fields?.from} ${fields?.to} ${fields?.reason}`),
    selected: events.filter(({ event }) => event === "request.account_selected"),
  };
}

test("requests that are no turns are no switches", async () => {
  const config = '[policy]\nmode = "round_robin"\n';
  await using pool = await startPool({ ...ACCOUNTS, config });
  await createSseClient(pool.url, "s1").turn("one");
  for (const path of ["/codex/analytics-events/events", "/ps/mcp", "/codex/analytics-events/events"])
    await fetch(`${pool.url}/backend-api${path}`, { proxy: false, method: "POST", body: "{}" });
  const { history, log, selected } = await switchesOf(pool);
  expect([history, log]).toEqual([[], []]);
  expect(selected).toHaveLength(4);
  expect(selected.slice(1).map(({ fields }) => fields?.switched)).toEqual([false, false, false]);
});

for (const transport of ["sse", "websocket"] as const) {
  const connect = CLIENTS[transport];

  test(`over ${transport}, a pin moves the sessions that exist, and a new session has nothing to leave`, async () => {
    await using pool = await startPool(ACCOUNTS);
    const first = connect(pool.url, "s1");
    await first.turn("one");
    await pool.accounts.pin("carol");
    const second = connect(pool.url, "s2");
    expect(await second.turn("one")).toBe("Hello from carol");
    expect(await first.turn("two")).toBe("Hello from carol");
    for (const client of [first, second]) client.close();
    const { history, log } = await switchesOf(pool);
    expect(history).toEqual(["alice carol pinned"]);
    expect(log).toEqual(history);
  });

  test(`over ${transport}, a turn that two accounts refuse leaves the account of the session's last turn`, async () => {
    await using pool = await startPool(ACCOUNTS);
    await pool.accounts.pin("carol");
    const client = connect(pool.url, "s1");
    expect(await client.turn("one")).toBe("Hello from carol");
    await pool.accounts.unpin();
    for (const account of ["carol", "alice"])
      pool.mock.faults.add({ on: "turn", account, times: 1, answer: EXHAUSTED });
    expect(await client.turn("two")).toBe("Hello from bob");
    client.close();
    const { history, log } = await switchesOf(pool);
    expect(history).toEqual(["carol bob usage-limit"]);
    expect(log).toEqual(history);
  });

  test(`over ${transport}, Codex's first turn leaves the account that refused it, also on a new connection`, async () => {
    await using pool = await startPool(ACCOUNTS);
    pool.mock.faults.add({ on: "turn", account: "alice", times: 1, answer: EXHAUSTED });
    const client = { url: pool.url, session: "s1", waited: () => {}, hadOutput: () => {} };
    expect(await takeTurn(client, transport)).toMatchObject({ servedBy: "bob", shown: [] });
    const { history, log } = await switchesOf(pool);
    expect(history).toEqual(["alice bob usage-limit"]);
    expect(log).toEqual(history);
  });

  test(`over ${transport}, a first turn that broke off after output leaves its account`, async () => {
    await using pool = await startPool(ACCOUNTS);
    pool.mock.faults.add({ on: "turn", account: "alice", times: 1, cutAfter: 3, end: CUT[transport] });
    const client = { url: pool.url, session: "s1", waited: () => {}, hadOutput: () => {} };
    expect(await takeTurn(client, transport)).toMatchObject({ servedBy: "bob" });
    const { history, log } = await switchesOf(pool);
    expect(history).toEqual(["alice bob request-failed"]);
    expect(log).toEqual(history);
  });

  test(`over ${transport}, the first turn of a session leaves the account that refused it`, async () => {
    await using pool = await startPool(ACCOUNTS);
    pool.mock.faults.add({ on: "turn", account: "alice", times: 1, answer: EXHAUSTED });
    const client = connect(pool.url, "s1");
    expect(await client.turn("one")).toBe("Hello from bob");
    client.close();
    const { history, log } = await switchesOf(pool);
    expect(history).toEqual(["alice bob usage-limit"]);
    expect(log).toEqual(history);
  });
}
