// A pool as a team uses it: thirty accounts, three replicas behind a round-robin load balancer, and traffic of all
// kinds while accounts reach limits, renew their logins, and one of them is removed.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { limitBody } from "../support/pool.ts";
import { whyNoRedis } from "../support/redis.ts";
import { done, startReplicas } from "../support/replicas.ts";
import { createRoamingClient } from "../support/roaming-client.ts";

const ALIASES = Array.from({ length: 30 }, (_, index) => `a${index}`);
const CLIENTS = 24;
const SESSIONS_PER_CLIENT = 6;
const TURNS_PER_SESSION = 6;
const SESSIONS = CLIENTS * SESSIONS_PER_CLIENT;
const REMOVED = "a29";
/** Accounts that reach a limit once; it is reset soon. */
const LIMITED = ALIASES.slice(0, 5);
/** Accounts whose access token is refused once, so that they renew it. */
const REFUSED = ALIASES.slice(5, 10);
/** When the limits are reset, s after the start. */
const RESET_SECONDS = 5;

test.skipIf(whyNoRedis !== undefined)(
  "no client of thirty accounts and three replicas sees an error, sessions keep their accounts, and nearly all accounts are used",
  async () => {
    await using pool = await startReplicas({ aliases: ALIASES });
    const { mock, list } = pool;
    const limit = { error: limitBody(Math.floor(Date.now() / 1000) + RESET_SECONDS) };
    for (const account of LIMITED)
      mock.faults.add({ on: "turn", account, skip: 2, times: 1, answer: { status: 429, body: limit } });
    for (const account of REFUSED)
      mock.faults.add({ on: "turn", account, skip: 2, times: 1, answer: { status: 401 } });
    const errors: string[] = [];
    const served = new Map(ALIASES.map((alias) => [alias, 0]));
    /** Turns that went to another account although that of the session could serve. */
    let moves = 0;
    let finished = 0;
    let removal: Promise<unknown> | undefined;
    const session = async (client: number, round: number): Promise<void> => {
      const transport = client % 2 === 0 ? "sse" : "websocket";
      const options = { replicas: list, session: crypto.randomUUID(), transport, first: client } as const;
      const roaming = createRoamingClient(options);
      let last: string | undefined;
      for (let turn = 0; turn < TURNS_PER_SESSION; turn++) {
        const text = await roaming.turn(`turn ${turn}`).catch((error) => {
          errors.push(`${transport}, turn ${turn}: ${error}`);
          return "";
        });
        const alias = /^Hello from (a\d+)$/.exec(text)?.[1] ?? "";
        served.set(alias, (served.get(alias) ?? 0) + 1);
        if (last !== undefined && last !== alias && last !== REMOVED && !LIMITED.includes(last)) moves++;
        last = alias;
        // Not after every turn, so that the clients do not all move in step.
        if ((client + round + turn) % 3 > 0) continue;
        const { url } = list[(client + turn) % list.length]!;
        const { status } = await fetch(`${url}/backend-api/codex/models?client_version=1.0.0`);
        if (status !== 200) errors.push(`models: status ${status}`);
      }
      roaming.close();
      finished++;
      // In the middle of the traffic.
      if (finished === SESSIONS / 2) removal = done(list[1]!.run("account", "rm", REMOVED));
      if (round + 1 < SESSIONS_PER_CLIENT) await session(client, round + 1);
    };
    await Promise.all(Array.from({ length: CLIENTS }, (_, client) => session(client, 0)));
    await removal;
    expect(errors).toEqual([]);
    const turns = [...served.values()].reduce((sum, count) => sum + count, 0);
    expect(turns).toBe(SESSIONS * TURNS_PER_SESSION);
    const counts = ALIASES.filter((alias) => alias !== REMOVED && !LIMITED.includes(alias)).map(
      (alias) => served.get(alias) ?? 0,
    );
    const average = turns / ALIASES.length;
    console.log(
      `${turns} turns, by account ${Math.min(...counts)} to ${Math.max(...counts)}; ${moves} moves`,
    );
    // Each replica rotates through the accounts by itself, from the account of its last turn.
    expect(counts.filter((count) => count > 0).length).toBeGreaterThan(counts.length * 0.8);
    expect(Math.max(...counts)).toBeLessThan(average * 4);
    // A turn may reach the next replica before the news of its session's first one, if the machine is busy.
    expect(moves).toBeLessThan(turns / 10);
    const sent = mock.requests.flatMap(({ point, json }) =>
      point === "token" ? [(json as { refresh_token: string }).refresh_token] : [],
    );
    expect(sent.length).toBeGreaterThan(0);
    expect(new Set(sent).size).toBe(sent.length);
    const cooled = list
      .flatMap(({ layout }) => readFileSync(layout.events, "utf8").split("\n"))
      .filter((line) => line.includes('"account.cooldown"'))
      .map((line) => /"openai:(a\d+)"/.exec(line)?.[1]);
    expect(new Set(cooled).size).toBeGreaterThan(0);
    expect(cooled.filter((alias) => !LIMITED.includes(alias ?? ""))).toEqual([]);
  },
  300_000,
);
