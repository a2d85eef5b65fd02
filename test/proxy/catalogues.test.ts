import { describe, expect, test } from "bun:test";
import WebSocket from "ws";
import { readTextIfPresent } from "../../src/state/atomic-file.ts";
import { skippingClock } from "../support/clock.ts";
import { startPool, type TestPool, until } from "../support/pool.ts";

const VERSION = "0.171.0";
const model = (slug: string, of: string) => ({ slug, display_name: of });
const ALICE = { alias: "alice", models: { models: [model("a", "alice"), model("ab", "alice")], more: 1 } };
const BOB = { alias: "bob", models: { models: [model("b", "bob"), model("ab", "bob")] } };
/** Turns of new sessions alternate between the accounts. */
const ALTERNATING = '[policy]\nmode = "round_robin"\naffinity = false\n';

interface Got {
  readonly status: number;
  readonly etag: string | null;
  readonly slugs: readonly string[];
  readonly body: { readonly models: readonly { readonly slug: string; readonly display_name: string }[] };
}

function catalogueUrl(pool: Pick<TestPool, "url">, version = VERSION): string {
  return `${pool.url}/backend-api/codex/models?client_version=${version}`;
}

async function catalogue(pool: Pick<TestPool, "url">, version = VERSION): Promise<Got> {
  const response = await fetch(catalogueUrl(pool, version), { headers: { version } });
  const body = (await response.json()) as Got["body"];
  const slugs = (body.models ?? []).map(({ slug }) => slug);
  return { status: response.status, etag: response.headers.get("etag"), slugs, body };
}

/** Takes one turn; returns the version in the reply and the account that served it. */
async function turn(pool: Pick<TestPool, "url">, headers: Record<string, string> = { version: VERSION }) {
  const response = await fetch(`${pool.url}/backend-api/codex/responses`, {
    method: "POST",
    headers,
    body: '{"input":[]}',
  });
  const account = /from (\w+)/.exec(await response.text())?.[1];
  return { etag: response.headers.get("x-models-etag"), account };
}

/** Takes one turn over WebSocket; returns the versions in the handshake and in the events. */
async function socketTurn(pool: Pick<TestPool, "url">): Promise<(string | undefined)[]> {
  const socket = new WebSocket(`${pool.url.replace("http", "ws")}/backend-api/codex/responses`, {
    headers: { version: VERSION },
  });
  const seen: (string | undefined)[] = [];
  await new Promise<void>((resolve, reject) => {
    socket.on("upgrade", ({ headers }) => seen.push(String(headers["x-models-etag"])));
    socket.on("open", () => socket.send(JSON.stringify({ type: "response.create", input: [] })));
    socket.on("error", reject);
    socket.on("message", (data: Buffer) => {
      const event = JSON.parse(data.toString("utf8"));
      if (event.type === "codex.response.metadata") seen.push(event.headers["x-models-etag"]);
      if (event.type === "response.completed") resolve();
    });
  });
  socket.close();
  return seen;
}

const asked = (pool: TestPool, account?: string) =>
  pool.mock.requests.filter(
    (one) => one.point === "models" && (account === undefined || one.account === account),
  ).length;

/** The account that serves a turn for `model`, or the status that refuses it. */
async function served(pool: Pick<TestPool, "url">, model: string, session = "s"): Promise<string> {
  const response = await fetch(`${pool.url}/backend-api/codex/responses`, {
    method: "POST",
    headers: { version: VERSION, "session-id": session },
    body: JSON.stringify({ model, input: [] }),
  });
  return /from (\w+)/.exec(await response.text())?.[1] ?? String(response.status);
}

describe("a model that only some accounts have", () => {
  test("goes only to those accounts once the catalogues are known, even in a session of another account", async () => {
    await using pool = await startPool({ accounts: [ALICE, BOB] });
    expect(await served(pool, "b")).toBe("alice");
    await catalogue(pool);
    expect(await served(pool, "b")).toBe("bob");
    expect([await served(pool, "a"), await served(pool, "ab"), await served(pool, "unheard-of")]).toEqual([
      "alice",
      "alice",
      "alice",
    ]);
  });

  test("is refused with their limit when they are exhausted", async () => {
    await using pool = await startPool({ accounts: [ALICE, { ...BOB, turns: 1 }] });
    await catalogue(pool);
    expect([await served(pool, "b", "one"), await served(pool, "b", "two")]).toEqual(["bob", "429"]);
    expect(await served(pool, "ab", "three")).toBe("alice");
  });
});

describe("the catalogue of the pool", () => {
  test("is the union over the accounts in list order", async () => {
    await using pool = await startPool({ accounts: [ALICE, BOB] });
    const got = await catalogue(pool);
    expect(got.status).toBe(200);
    expect(got.body).toEqual({
      models: [model("a", "alice"), model("ab", "alice"), model("b", "bob")],
      more: 1,
    } as never);
    expect((await catalogue(pool)).etag).toBe(got.etag);
    expect([asked(pool, "alice"), asked(pool, "bob")]).toEqual([1, 1]);
  });

  test("is requested once per version of Codex, even by concurrent clients", async () => {
    await using pool = await startPool({ accounts: [ALICE, BOB] });
    const got = await Promise.all(Array.from({ length: 10 }, () => catalogue(pool)));
    expect(new Set(got.map(({ etag }) => etag)).size).toBe(1);
    expect(asked(pool)).toBe(2);
    await catalogue(pool, "0.169.0");
    expect(asked(pool)).toBe(4);
  });

  test("has one version over all accounts and both transports", async () => {
    await using pool = await startPool({ accounts: [ALICE, BOB], config: ALTERNATING });
    const { etag } = await catalogue(pool);
    const turns = [await turn(pool), await turn(pool), await turn(pool), await turn(pool)];
    expect(new Set(turns.map(({ account }) => account))).toEqual(new Set(["alice", "bob"]));
    for (const one of turns) expect(one.etag).toBe(etag);
    for (let round = 0; round < 2; round++)
      expect(await socketTurn(pool)).toEqual([etag ?? undefined, etag ?? undefined]);
    expect(asked(pool)).toBe(2);
  });

  test("answers a client that has the current version with 304", async () => {
    await using pool = await startPool({ accounts: [ALICE, BOB] });
    const { etag } = await catalogue(pool);
    const conditional = (header: string) =>
      fetch(catalogueUrl(pool), { headers: { "if-none-match": header } });
    for (const header of [`${etag}`, `"x", W/${etag}`, "*"]) {
      const response = await conditional(header);
      expect([response.status, response.headers.get("etag"), await response.text()]).toEqual([304, etag, ""]);
    }
    expect((await conditional('"other"')).status).toBe(200);
    const head = await fetch(catalogueUrl(pool), { method: "HEAD" });
    expect([head.status, head.headers.get("etag"), await head.text()]).toEqual([200, etag, ""]);
  });

  test("gets one new version when an account's catalogue changes", async () => {
    await using pool = await startPool({ accounts: [ALICE, BOB], config: ALTERNATING });
    const before = await catalogue(pool);
    pool.mock.accounts.byAlias("bob").models = { models: [model("b", "bob"), model("c", "bob")] };
    const versions = new Set<string | null>();
    await until("turns name another version", async () => {
      versions.add((await turn(pool)).etag);
      return versions.size === 2;
    });
    for (let round = 0; round < 4; round++) versions.add((await turn(pool)).etag);
    const after = await catalogue(pool);
    expect(after.slugs).toEqual(["a", "ab", "b", "c"]);
    expect([...versions]).toEqual([before.etag, after.etag]);
    expect([asked(pool, "alice"), asked(pool, "bob")]).toEqual([1, 2]);
  });

  test("keeps its version when an account's catalogue changes only in models of other accounts", async () => {
    await using pool = await startPool({ accounts: [ALICE, BOB], config: ALTERNATING });
    const before = await catalogue(pool);
    pool.mock.accounts.byAlias("bob").models = { models: [model("b", "bob"), model("ab", "new")] };
    await until("bob was asked again", async () => {
      await turn(pool);
      return asked(pool, "bob") === 2;
    });
    expect((await turn(pool)).etag).toBe(before.etag);
    expect((await catalogue(pool)).body).toEqual(before.body);
  });

  test("is requested again when it is old and a client wants it, and the client does not wait", async () => {
    const clock = skippingClock();
    await using pool = await startPool({ accounts: [ALICE, BOB], clock });
    const before = await catalogue(pool);
    pool.mock.accounts.byAlias("bob").models = { models: [model("c", "bob")] };
    clock.skip(5 * 60_000);
    expect((await catalogue(pool)).body).toEqual(before.body);
    await until("the new one is there", async () => (await catalogue(pool)).slugs.includes("c"));
    expect([asked(pool, "alice"), asked(pool, "bob")]).toEqual([2, 2]);
    // The accounts' own versions, so that a backend can answer with 304.
    const conditions = pool.mock.requests
      .filter(({ point }) => point === "models")
      .map(({ headers }) => headers["if-none-match"]?.slice(0, 3));
    expect(conditions).toEqual([undefined, undefined, 'W/"', 'W/"']);
  });

  test("loses the models of an account that is disabled, and gets them back with it", async () => {
    await using pool = await startPool({ accounts: [ALICE, BOB] });
    const before = await catalogue(pool);
    await pool.accounts.serve("bob", "disable");
    const without = await catalogue(pool);
    expect(without.slugs).toEqual(["a", "ab"]);
    expect((await turn(pool)).etag).toBe(without.etag);
    await pool.accounts.serve("bob", "enable");
    await until("the union is whole again", async () => (await catalogue(pool)).etag === before.etag);
  });

  test("gets the models of an account that is enrolled later", async () => {
    await using pool = await startPool({ accounts: [ALICE, BOB] });
    await pool.accounts.remove("bob");
    expect((await catalogue(pool)).slugs).toEqual(["a", "ab"]);
    await pool.accounts.import("bob", { auth: pool.mock.authFile("bob"), config: undefined, replace: false });
    await until("bob's models are there", async () => {
      await turn(pool);
      return (await catalogue(pool)).slugs.includes("b");
    });
  });
});

describe("an account", () => {
  test("delays clients by at most 2 s if it does not answer", async () => {
    const clock = skippingClock();
    await using pool = await startPool({ accounts: [ALICE, BOB], clock });
    pool.mock.faults.add({ on: "models", account: "bob", times: 1, hang: true });
    const first = catalogue(pool);
    await until("both were asked, and alice has answered", () => {
      const log = readTextIfPresent(pool.layout.events) ?? "";
      return asked(pool) === 2 && log.includes("catalogue.changed");
    });
    clock.skip(2_000);
    expect((await first).slugs).toEqual(["a", "ab"]);
    expect((await turn(pool)).etag).toBe((await first).etag);
  });

  test("is left out of the union after a failure, and asked again after a pause", async () => {
    const clock = skippingClock();
    await using pool = await startPool({ accounts: [ALICE, BOB], clock });
    pool.mock.faults.add(
      { on: "models", account: "bob", times: 1, answer: { status: 503, body: {} } },
      { on: "models", account: "bob", times: 1, answer: { status: 200, body: "<html>" } },
    );
    expect((await catalogue(pool)).slugs).toEqual(["a", "ab"]);
    expect((await catalogue(pool)).slugs).toEqual(["a", "ab"]);
    expect(asked(pool, "bob")).toBe(1);
    clock.skip(15_000);
    await catalogue(pool);
    await until("bob was asked again", () => asked(pool, "bob") === 2);
    expect(asked(pool, "alice")).toBe(1);
    await until("bob's models are there", async () => {
      clock.skip(30_000);
      return (await catalogue(pool)).slugs.includes("b");
    });
    const events = await pool.stopAndReadEvents();
    const failures = events.filter(({ event }) => event === "catalogue.failed").map(({ fields }) => fields);
    expect(failures).toMatchObject([
      { client_version: VERSION, account_id: "openai:bob", error: "the models endpoint returned 503" },
      { client_version: VERSION, error: "the response is not a model catalogue" },
    ]);
  });

  test("renews its login once if the backend refuses it", async () => {
    await using pool = await startPool({ accounts: [ALICE, BOB] });
    pool.mock.faults.add({ on: "models", account: "bob", times: 1, answer: { status: 401, body: {} } });
    expect((await catalogue(pool)).slugs).toEqual(["a", "ab", "b"]);
    expect(pool.mock.requests.filter(({ point }) => point === "token").length).toBe(1);
  });
});

describe("the request for a catalogue goes to one account", () => {
  test("when no account has answered", async () => {
    await using pool = await startPool({ accounts: [ALICE, BOB] });
    pool.mock.faults.add({ on: "models", times: 2, answer: { status: 500, body: {} } });
    const got = await catalogue(pool);
    expect([got.status, got.slugs]).toEqual([200, ["a", "ab"]]);
    pool.mock.faults.add({ on: "models", answer: { status: 418, body: { no: 1 } } });
    const refused = await fetch(catalogueUrl(pool));
    expect([refused.status, await refused.json()]).toEqual([418, { no: 1 }]);
  });

  test("when the client does not name its version", async () => {
    await using pool = await startPool({ accounts: [ALICE, BOB] });
    for (const search of ["", "?client_version=", "?client_version=x%20y"]) {
      const response = await fetch(`${pool.url}/backend-api/codex/models${search}`);
      expect(await response.json()).toEqual(ALICE.models);
    }
    expect((await turn(pool, {})).etag).toBeNull();
    expect(asked(pool, "bob")).toBe(0);
  });
});

test("a turn names no version until the catalogues are known, and starts collecting them", async () => {
  await using pool = await startPool({ accounts: [ALICE, BOB] });
  expect((await turn(pool)).etag).toBeNull();
  await until("turns name a version", async () => (await turn(pool)).etag !== null);
  expect((await turn(pool)).etag).toBe((await catalogue(pool)).etag);
  expect(asked(pool)).toBe(2);
});
