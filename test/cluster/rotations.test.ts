// Three proxies renew the same logins as often as they can. A refresh token works once, so the backend would notice the
// second use of any of them.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createSseClient } from "../../src/mock/client.ts";
import { whyNoRedis } from "../support/redis.ts";
import { startReplicas } from "../support/replicas.ts";

const ROTATIONS = 1_000;
/** So short that each replica renews a token that another one has renewed, before it uses it. */
const TOKEN_SECONDS = 20;
const ALIASES = Array.from({ length: 24 }, (_, index) => `a${index}`);
const CLIENTS_PER_REPLICA = 4;

test.skipIf(whyNoRedis !== undefined)(
  `in ${ROTATIONS} renewals by three replicas no refresh token is sent twice, and no client notices`,
  async () => {
    await using pool = await startReplicas({ aliases: ALIASES, tokenSeconds: TOKEN_SECONDS });
    const sent: string[] = [];
    const collect = () => {
      for (const { point, json } of pool.mock.requests.splice(0))
        if (point === "token") sent.push((json as { refresh_token: string }).refresh_token);
    };
    let turns = 0;
    const client = async (url: string, name: string): Promise<void> => {
      for (let turn = 0; sent.length < ROTATIONS; turn++) {
        expect(await createSseClient(url, `${name}-${turn}`).turn("hello")).toStartWith("Hello from a");
        turns++;
        collect();
      }
    };
    await Promise.all(
      pool.list.flatMap(({ url }, replica) =>
        Array.from({ length: CLIENTS_PER_REPLICA }, (_, index) => client(url, `${replica}-${index}`)),
      ),
    );
    for (const { layout } of pool.list) {
      const log = readFileSync(layout.events, "utf8");
      expect(log).not.toContain("account.disabled");
      expect(log).not.toContain("cluster.degraded");
    }
    const ended = await Promise.all(pool.list.map((replica) => replica.stop()));
    collect();
    expect(ended.map(({ code }) => code)).toEqual([0, 0, 0]);
    console.log(`${sent.length} renewals in ${turns} turns`);
    expect(sent.length).toBeGreaterThanOrEqual(ROTATIONS);
    expect(new Set(sent).size).toBe(sent.length);
    // The replica that renewed a login last has the one that works.
    for (const alias of ALIASES) {
      const tokens = pool.list.map(({ layout }): string => {
        const text = readFileSync(join(layout.accounts, alias, "auth.json"), "utf8");
        return JSON.parse(text).tokens.refresh_token;
      });
      expect([alias, tokens.filter(pool.mock.accounts.isLive).length > 0]).toEqual([alias, true]);
    }
  },
  300_000,
);
