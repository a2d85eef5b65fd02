import { describe, expect, test } from "bun:test";
import WebSocket from "ws";
import { createSseClient } from "../../src/mock/client.ts";
import { limitBody, startPool, type TestPool } from "../support/pool.ts";
import { startUpstream } from "../support/upstream.ts";

const PATH = "/backend-api/codex/responses";
const RESET_S = Math.floor(Date.now() / 1000) + 3_600;
const THREE = [{ alias: "alice" }, { alias: "bob" }, { alias: "carol" }];
const compactionOf = (alias: string) => ({
  type: "compaction",
  id: "cmp_1",
  encrypted_content: `mock-ciphertext:mock-${alias}:x`,
});
const reasoningOf = (alias: string) => ({ ...compactionOf(alias), type: "reasoning", summary: [] });
const HELLO = { type: "message", role: "user", content: [{ type: "input_text", text: "hello" }] };

function post(pool: TestPool, session: string, input: readonly unknown[]): Promise<Response> {
  return fetch(pool.url + PATH, {
    method: "POST",
    headers: { "content-type": "application/json", "session-id": session },
    body: JSON.stringify({ model: "m", input }),
  });
}

async function overSocket(pool: TestPool, session: string, input: readonly unknown[]): Promise<string> {
  const socket = new WebSocket(pool.url.replace("http", "ws") + PATH, { headers: { "session-id": session } });
  await new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  const answer = await new Promise<string>((resolve) => {
    let text = "";
    socket.on("message", (data: Buffer) => {
      text += data.toString();
      if (/"type":"(?:response.completed|error)"/.test(data.toString())) resolve(text);
    });
    socket.on("close", () => resolve(text));
    socket.send(JSON.stringify({ type: "response.create", model: "m", input }));
  });
  socket.terminate();
  return answer;
}

const overHttp = async (pool: TestPool, session: string, input: readonly unknown[]) =>
  (await post(pool, session, input)).text();
const asked = (pool: TestPool) =>
  pool.mock.requests
    .filter(({ point }) => point === "sse" || point === "message")
    .map((request) => request.account);

for (const [name, send] of Object.entries({ "server-sent events": overHttp, WebSocket: overSocket }))
  describe(`over ${name}, a session with a compacted history`, () => {
    test("of an unknown account makes the proxy look for the account, and stays with it", async () => {
      await using pool = await startPool({ accounts: THREE });
      const input = [compactionOf("carol"), HELLO];
      expect(await send(pool, "s1", input)).toContain("Hello from carol");
      expect(asked(pool)).toEqual(["alice", "bob", "carol"]);
      await pool.accounts.pin("alice");
      expect(await send(pool, "s1", input)).toContain("Hello from carol");
      expect(asked(pool).at(-1)).toBe("carol");
      expect(asked(pool).length).toBe(4);
      for (const { healthy } of (await pool.status()).accounts) expect(healthy).toBe(true);
    });

    test("gets the limit of its account, even while others have room", async () => {
      await using pool = await startPool({ accounts: THREE });
      const input = [compactionOf("bob"), HELLO];
      await send(pool, "s1", input);
      const answer = { status: 429, body: { error: limitBody(RESET_S) } };
      const event = { type: "error", status: 429, error: limitBody(RESET_S) };
      pool.mock.faults.add(
        { on: "sse", account: "bob", answer },
        { on: "message", account: "bob", events: [event] },
      );
      const reply = await send(pool, "s1", input);
      expect(reply).toContain("usage_limit_reached");
      expect(reply).toContain(`"resets_at":${RESET_S}`);
      expect(await createSseClient(pool.url, "s2").turn("hello")).toBe("Hello from alice");
    });
  });

test("the search for a history's account includes draining accounts, and the error names disabled ones", async () => {
  await using pool = await startPool({ accounts: THREE });
  await pool.accounts.serve("bob", "drain");
  const input = [compactionOf("bob"), HELLO];
  expect(await overHttp(pool, "s1", input)).toContain("Hello from bob");
  expect(asked(pool).at(-1)).toBe("bob");
  await pool.accounts.serve("bob", "disable");
  const answer = await post(pool, "s2", input);
  expect(answer.status).toBe(503);
  expect(await answer.text()).toContain("bob (disabled by you)");
  expect(await overSocket(pool, "s3", input)).toContain("bob (disabled by you)");
});

test("a history that no account can read gets the backend's refusal, after one request per account", async () => {
  await using pool = await startPool({ accounts: THREE });
  const answer = await post(pool, "s1", [compactionOf("dave"), HELLO]);
  expect(answer.status).toBe(400);
  expect(await answer.text()).toContain("invalid_encrypted_content");
  expect(asked(pool)).toEqual(["alice", "bob", "carol"]);
});

test("reasoning of another account is dropped if nothing else is lost with it", async () => {
  await using pool = await startPool({ accounts: THREE });
  expect(await overHttp(pool, "s1", [reasoningOf("carol"), HELLO])).toContain("Hello from alice");
  expect(asked(pool)).toEqual(["alice", "alice"]);
});

for (const [name, send] of Object.entries({ "server-sent events": overHttp, WebSocket: overSocket }))
  test(`a session that was compacted over ${name} stays with its account`, async () => {
    await using pool = await startPool({ accounts: THREE });
    await send(pool, "s1", [HELLO, { type: "compaction_trigger" }]);
    await pool.accounts.pin("bob");
    expect(await send(pool, "s1", [compactionOf("alice"), HELLO])).toContain("Hello from alice");
    expect(asked(pool)).toEqual(["alice", "alice"]);
  });

test("a compaction in one piece, as older versions request it, also binds its session to the account", async () => {
  await using upstream = startUpstream(() =>
    Response.json({ output: [{ type: "compaction", encrypted_content: "x" }] }),
  );
  await using pool = await startPool({ accounts: THREE, upstream: upstream.baseUrl });
  await (
    await fetch(`${pool.url}${PATH}/compact`, { method: "POST", headers: { "session-id": "s1" }, body: "{}" })
  ).text();
  const explained = (await (
    await fetch(`${pool.url}/admin/explain?session=s1`, {
      headers: { authorization: `Bearer ${pool.adminToken}` },
    })
  ).json()) as { held: boolean; bound_to: string };
  expect(explained).toMatchObject({ held: true, bound_to: "alice" });
});
