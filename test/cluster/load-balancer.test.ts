// Three replicas behind the nginx and the HAProxy of packaging/cluster: streams, WebSockets, and replicas that leave.

import { describe, expect, test } from "bun:test";
import WebSocket from "ws";
import { messageOf } from "../../src/errors.ts";
import { createSocketClient, createSseClient, type TurnClient } from "../../src/mock/client.ts";
import { startHaproxy, startNginx, whyNoHaproxy, whyNoNginx } from "../support/load-balancers.ts";
import { until } from "../support/pool.ts";
import { whyNoRedis } from "../support/redis.ts";
import { type Replica, startReplicas } from "../support/replicas.ts";

const PATIENCE_MS = 60_000;
/** How often Codex sends a turn again at least. */
const MOST_REPEATS = 4;
const PATH = "/backend-api/codex/responses";

const open = (url: string): Promise<WebSocket> =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(url.replace("http", "ws") + PATH);
    socket.once("open", () => resolve(socket));
    socket.once("error", reject);
  });

/** How many requests and turns the replica has in flight. */
const turnsOf = async ({ url }: Replica): Promise<number> => {
  const { accounts } = (await (await fetch(`${url}/status`)).json()) as { accounts: { in_flight: number }[] };
  return accounts.reduce((sum, { in_flight }) => sum + in_flight, 0);
};

describe.skipIf(whyNoRedis !== undefined || whyNoNginx !== undefined)("a pool behind nginx", () => {
  test("serves streams as they are sent, WebSockets and large bodies", async () => {
    await using pool = await startReplicas({ aliases: ["alice"] });
    await using nginx = await startNginx(pool.list.map(({ url }) => url));
    expect((await fetch(`${nginx.url}/readyz`)).status).toBe(200);
    expect(await createSseClient(nginx.url, "s1").turn("hello")).toBe("Hello from alice");
    expect(await createSseClient(nginx.url, "s2").turn("x".repeat(4 * 1024 * 1024))).toBe("Hello from alice");
    const client = createSocketClient(nginx.url, "s3");
    for (let turn = 0; turn < 3; turn++) expect(await client.turn("hello")).toBe("Hello from alice");
    client.close();
    // The backend waits in the middle of the response, whose first part nginx must not keep.
    pool.mock.faults.add({ on: "sse", times: 1, gateAfter: 3 });
    const response = await fetch(`${nginx.url}${PATH}`, {
      method: "POST",
      headers: { "content-type": "application/json", "session-id": "s4" },
      body: JSON.stringify({ model: "m", stream: true, store: false, input: [] }),
    });
    let events = "";
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      events += decoder.decode(chunk);
      // What was sent before the gate has arrived.
      pool.mock.faults.release();
    }
    expect(events).toContain("response.completed");
  }, 120_000);

  test("loses no turn while two of its replicas are taken out one after the other", async () => {
    await using pool = await startReplicas({
      aliases: ["alice", "bob"],
      config: "[proxy]\ndrain_delay_seconds = 1\n",
    });
    await using nginx = await startNginx(pool.list.map(({ url }) => url));
    const errors: string[] = [];
    let turns = 0;
    let repeated = 0;
    let isOver = false;
    /** Sends a turn, and like Codex sends it again after a 502: nginx may pass it to a replica that just stops listening. */
    const send = async (client: TurnClient): Promise<void> => {
      for (let attempt = 0; ; attempt++)
        try {
          await client.turn("hello");
          turns++;
          return;
        } catch (error) {
          if (attempt === MOST_REPEATS || !messageOf(error).startsWith("status 502")) {
            errors.push(messageOf(error));
            return;
          }
          repeated++;
        }
    };
    const clients = ["s1", "s2", "s3", "s4"].map(async (session) => {
      while (!isOver) await send(createSseClient(nginx.url, session));
    });
    for (const replica of pool.list.slice(0, 2)) {
      const before = turns;
      await until("turns are served", () => turns > before + 20, PATIENCE_MS);
      await replica.stop();
    }
    const before = turns;
    await until("turns are served by the last one", () => turns > before + 20, PATIENCE_MS);
    isOver = true;
    await Promise.all(clients);
    expect(errors).toEqual([]);
    // At most one request of each client was on its way to each of the two replicas.
    expect(repeated).toBeLessThanOrEqual(2 * clients.length);
    console.log(`${turns} turns while two of three replicas left, ${repeated} of them sent again`);
  }, 180_000);

  test("moves a WebSocket to another replica after its turn, when its replica shuts down", async () => {
    await using pool = await startReplicas({ aliases: ["alice"] });
    await using nginx = await startNginx(pool.list.map(({ url }) => url));
    const idle = await Promise.all(pool.list.map(() => open(nginx.url)));
    const closings: number[] = [];
    for (const socket of idle) socket.on("close", (code) => closings.push(code));
    pool.mock.faults.add({ on: "message", times: 1, gateAfter: 3 });
    const client = createSocketClient(nginx.url, "s1");
    const turn = client.turn("hello");
    let busy: Replica | undefined;
    await until(
      "a replica has the turn",
      async () => {
        const uses = await Promise.all(pool.list.map(turnsOf));
        busy = pool.list[uses.indexOf(1)];
        return busy !== undefined;
      },
      PATIENCE_MS,
    );
    const stopping = busy?.stop();
    // One of the idle sockets was at the same replica.
    await until("the idle socket is closed", () => closings.length === 1, PATIENCE_MS);
    pool.mock.faults.release();
    expect(await turn).toBe("Hello from alice");
    await stopping;
    expect(closings).toEqual([1001]);
    expect(await client.turn("hello again")).toBe("Hello from alice");
    client.close();
    for (const socket of idle) socket.terminate();
  }, 120_000);

  test("still serves after a replica was killed", async () => {
    await using pool = await startReplicas({ aliases: ["alice"] });
    await using nginx = await startNginx(pool.list.map(({ url }) => url));
    const killed = pool.list[1] as Replica;
    process.kill(killed.pid, "SIGKILL");
    await until(
      "it has ended",
      () =>
        fetch(killed.url).then(
          () => false,
          () => true,
        ),
      PATIENCE_MS,
    );
    for (let turn = 0; turn < 6; turn++)
      expect(await createSseClient(nginx.url, `s${turn}`).turn("hello")).toBe("Hello from alice");
  }, 120_000);
});

/** Three healthy servers that answer every request with `response`; undefined: they close the connection. */
function servers(response: (() => Response) | undefined) {
  let requests = 0;
  const list = Array.from({ length: 3 }, () =>
    Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: async (request, server) => {
        if (["/healthz", "/readyz"].includes(new URL(request.url).pathname)) return new Response("");
        await request.text();
        requests++;
        if (response !== undefined) return response();
        // Closes this connection, which is the only one.
        await server.stop(true);
        return new Response("");
      },
    }),
  );
  return {
    urls: list.map(({ url }) => url.href),
    requests: () => requests,
    [Symbol.asyncDispose]: async () => void (await Promise.all(list.map((server) => server.stop(true)))),
  };
}

describe.each([
  { name: "nginx", start: startNginx, why: whyNoNginx },
  { name: "HAProxy", start: startHaproxy, why: whyNoHaproxy },
])("$name", ({ start, why }) => {
  test.skipIf(why !== undefined)("never sends a turn to a second replica", async () => {
    await using replicas = servers(undefined);
    await using balancer = await start(replicas.urls);
    // HAProxy closes the connection without a response if it is not the connection's first request.
    const isServed = await fetch(`${balancer.url}${PATH}`, { method: "POST", body: "{}" }).then(
      ({ ok }) => ok,
      () => false,
    );
    expect(isServed).toBe(false);
    expect(replicas.requests()).toBe(1);
  });

  test.skipIf(why !== undefined)(
    "passes on a 503 of the pool, after which replicas stay in use",
    async () => {
      await using replicas = servers(() => new Response("no account", { status: 503 }));
      await using balancer = await start(replicas.urls);
      for (let count = 1; count <= 6; count++) {
        const response = await fetch(`${balancer.url}${PATH}`, { method: count % 2 === 0 ? "POST" : "GET" });
        const got = [response.status, await response.text(), replicas.requests()];
        expect(got).toEqual([503, "no account", count]);
      }
    },
  );
});

test.skipIf(whyNoRedis !== undefined || whyNoHaproxy !== undefined)(
  "HAProxy asks replicas whether they are ready, and sends new requests only to those",
  async () => {
    await using pool = await startReplicas({
      aliases: ["alice"],
      config: "[proxy]\ndrain_delay_seconds = 600\n",
      env: (index) => ({ CODEXLB_PROXY_NAME: `replica${index}` }),
    });
    // The second signal, which ends the delay, is that of the pool. Two signals in a row could arrive as one.
    await using _first = {
      [Symbol.asyncDispose]: async () => {
        for (const { pid, url } of pool.list.slice(1)) {
          process.kill(pid, "SIGTERM");
          const isReady = async () => (await fetch(`${url}/readyz`)).ok;
          await until("the delay has begun", async () => !(await isReady()), PATIENCE_MS);
        }
      },
    };
    await using balancer = await startHaproxy(pool.list.map(({ url }) => url));
    expect(await createSseClient(balancer.url, "s1").turn("hello")).toBe("Hello from alice");
    const client = createSocketClient(balancer.url, "s2");
    expect(await client.turn("hello")).toBe("Hello from alice");
    client.close();
    const names = async () => {
      const asked = Array.from({ length: 12 }, async () => {
        const { proxy_name } = (await (await fetch(`${balancer.url}/status`)).json()) as {
          proxy_name: string;
        };
        return proxy_name;
      });
      return [...new Set(await Promise.all(asked))].sort();
    };
    await until("all replicas are used", async () => (await names()).length === 3, PATIENCE_MS);
    const leaving = pool.list[0] as Replica;
    process.kill(leaving.pid, "SIGTERM");
    await until("it gets no requests", async () => !(await names()).includes("replica0"), PATIENCE_MS);
    // It still accepts requests, so only its answer to the check can be the reason.
    expect((await fetch(`${leaving.url}/healthz`)).status).toBe(200);
    expect(await createSseClient(balancer.url, "s3").turn("hello")).toBe("Hello from alice");
    // A second signal ends the delay.
    await leaving.stop();
    expect(await names()).toEqual(["replica1", "replica2"]);
  },
  120_000,
);
