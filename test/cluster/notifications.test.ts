// Notifications of three replicas with the same webhook.

import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { createSseClient } from "../../src/mock/client.ts";
import { until } from "../support/pool.ts";
import { whyNoRedis } from "../support/redis.ts";
import { type Replica, startReplicas } from "../support/replicas.ts";

const NAMES = ["lab", "office", "laptop"];
/** A problem is reported after ten seconds, and a lease lasts for one minute. */
const LIMIT_MS = 200_000;

interface Sent {
  readonly proxy: string;
  readonly notices: readonly { readonly kind: string; readonly account?: string }[];
}

/** A webhook that keeps what it gets. `received`: called before it answers, with the name of the sender. */
function startWebhook(received: (proxy: string) => void = () => {}) {
  const notices: string[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const sent = (await request.json()) as Sent;
      for (const { kind, account = "" } of sent.notices) notices.push(`${kind} ${account}`.trim());
      received(sent.proxy);
      return new Response();
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/`,
    notices,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

const startNotified = (url: string) =>
  startReplicas({
    aliases: ["alice", "bob"],
    config: `[policy]\nmode = "round_robin"\n[notify]\nwebhook = "${url}"\npool_below = 0\n`,
    env: (index) => ({ CODEXLB_PROXY_NAME: NAMES[index]! }),
  });

/** True if the replica knows that the login of alice was reported. */
const knows = ({ layout }: Replica): boolean =>
  existsSync(layout.notify) &&
  JSON.parse(readFileSync(layout.notify, "utf8")).ways.webhook?.reported["login_required:openai:alice"]
    ?.present === true;

const endLogin = async (pool: Awaited<ReturnType<typeof startNotified>>): Promise<void> => {
  pool.mock.faults.add({ on: "turn", account: "alice", answer: { status: 401 } });
  pool.mock.faults.add({
    on: "token",
    account: "alice",
    answer: { status: 400, body: { error: { code: "refresh_token_expired" } } },
  });
  const [first] = pool.list as [Replica];
  for (let turn = 0; turn < 3; turn++) await createSseClient(first.url, crypto.randomUUID()).turn("hello");
};

describe.skipIf(whyNoRedis !== undefined)("three replicas", () => {
  test("send one message about a login that has ended", async () => {
    await using webhook = startWebhook();
    await using pool = await startNotified(webhook.url);
    await endLogin(pool);
    await until("all replicas know that it was reported", () => pool.list.every(knows), LIMIT_MS);
    expect(webhook.notices).toEqual(["login_required alice"]);
  }, 240_000);

  test("send a message once more if its sender is killed before it could report it as sent", async () => {
    let kill = (_proxy: string): void => {};
    await using webhook = startWebhook((proxy) => kill(proxy));
    await using pool = await startNotified(webhook.url);
    let killed: Replica | undefined;
    kill = (proxy) => {
      if (killed !== undefined) return;
      killed = pool.list[NAMES.indexOf(proxy)]!;
      process.kill(killed.pid, "SIGKILL");
    };
    await endLogin(pool);
    await until(
      "the other replicas know that it was reported",
      () => killed !== undefined && pool.list.every((one) => one === killed || knows(one)),
      LIMIT_MS,
    );
    expect(webhook.notices).toEqual(["login_required alice", "login_required alice"]);
    await killed!.start({ CODEXLB_PROXY_NAME: "again" });
    await until("the killed one knows it as well", () => knows(killed!), LIMIT_MS);
    expect(webhook.notices.length).toBe(2);
  }, 300_000);
});
