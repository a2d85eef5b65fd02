// Tests admin calls through the front to other proxies of the tree, by name.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { makePrivateDirectory, writeFileAtomic } from "../../src/state/atomic-file.ts";
import { type Chain, type ChainNode, startChain, untilAccounts, untilChild } from "../support/chain.ts";
import { type FakeCodex, fakeCodex } from "../support/fake-codex.ts";
import { until } from "../support/pool.ts";

/** A child without client_auth still requires a key for its admin API: here the one of its own root. */
const link = (node: ChainNode) => node.url.replace("://", `://:${node.adminToken}@`);

describe("by name", () => {
  let chain: Chain;
  let front: ChainNode;
  let middle: ChainNode;
  let leaf: ChainNode;
  const front_ = (args: readonly string[]) => chain.run(args, { CODEXLB_ROOT: front.layout.root });

  beforeAll(async () => {
    chain = startChain([{ alias: "alice" }, { alias: "bob" }, { alias: "carol" }]);
    leaf = await chain.start({ name: "Leaf", accounts: ["alice", "bob"] });
    middle = await chain.start({ name: "middle", accounts: ["carol"], children: [link(leaf)] });
    front = await chain.start({ name: "front", children: [link(middle)] });
    await untilAccounts(front, ["alice", "bob", "carol"]);
  });
  afterAll(() => chain[Symbol.asyncDispose]());

  test("a grandchild carries out the call once, whatever the case of the name", async () => {
    const pinned = await front_(["account", "pin", "--proxy-name", "LEAF", "bob"]);
    expect(pinned).toMatchObject({ code: 0, out: "pinned account bob\n", err: "" });
    expect((await leaf.status()).state.pinned_account_id).toBe("openai:bob");
    expect((await middle.status()).state.pinned_account_id).toBeUndefined();
    const list = await front_(["account", "list", "--proxy-name", "leaf"]);
    expect(list.out).toContain("alice\topenai:alice");
    expect(list.out).not.toContain("carol");
  });

  test("an alias that only one proxy has needs no proxy name", async () => {
    expect(await front_(["account", "drain", "alice"])).toMatchObject({ code: 0 });
    expect((await leaf.status()).accounts.find(({ alias }) => alias === "alice")?.draining).toBe(true);
    expect(await front_(["account", "enable", "alice"])).toMatchObject({ code: 0 });
  });

  test("an alias that several proxies have needs a proxy name", async () => {
    const twin = await chain.start({ name: "twin", accounts: ["bob"] });
    front.configure([link(middle), link(twin)]);
    await untilChild(front, "twin");
    const both = await front_(["account", "disable", "bob"]);
    expect(both).toMatchObject({ code: 1 });
    expect(both.err).toMatch(
      /bob is an account of \w+ and \w+\n {2}choose one of them, for example: --proxy-name/,
    );
    front.configure([link(middle)]);
    await until("it is gone", async () => (await front.status()).child_proxies.length === 1);
  });

  test("an import goes to the named proxy and is visible immediately, and the log comes from the named proxy", async () => {
    const home = join(chain.directory, "carol");
    makePrivateDirectory(home);
    writeFileAtomic(join(home, "auth.json"), chain.mock.authFile("carol"));
    const imported = await front_(["account", "import", "--proxy-name", "leaf", "--from", home, "new"]);
    expect(imported).toMatchObject({ code: 0, out: "imported account new (total=3)\n" });
    const removed = await front_(["account", "rm", "new"]);
    expect(removed).toMatchObject({ code: 0, out: "removed account new\n" });
    expect((await leaf.status()).accounts.length).toBe(2);
    const logs = await front_([
      "proxy",
      "logs",
      "--proxy-url",
      front.url,
      "--proxy-name",
      "leaf",
      "--tail",
      "5",
    ]);
    expect(logs.code).toBe(0);
    expect(logs.out).toContain('"account.removed"');
  });

  test("errors are returned unchanged", async () => {
    const none = await front_(["account", "rm", "--proxy-name", "leaf", "dave"]);
    expect(none.code).toBe(1);
    expect(none.err).toContain("account not found: dave");
  });

  test("an unknown name causes an error that lists the known ones", async () => {
    const other = await front_(["account", "pin", "--proxy-name", "other", "alice"]);
    expect(other).toMatchObject({
      code: 1,
      err: "codexlb: target proxy not found: other\n  known proxies: front, middle, Leaf\n",
    });
  });

  test("a name that cannot be looked up causes an error with the obstacle", async () => {
    const dead = await chain.start({ name: "dead" });
    front.configure([link(middle), dead.url]);
    await untilChild(front, "dead", ({ reachable }) => reachable);
    await dead.kill();
    await untilChild(front, "dead", ({ reachable }) => !reachable);
    const other = await front_(["account", "list", "--proxy-name", "other"]);
    expect(other.code).toBe(1);
    expect(other.err).toContain("looking for the proxy other: dead: unreachable: connection refused");
    expect((await front_(["account", "list", "--proxy-name", "leaf"])).code).toBe(0);
    front.configure([link(middle)]);
  });

  test("a name that two proxies have is refused, and nothing changes", async () => {
    const twin = await chain.start({ name: "leaf", accounts: ["alice"] });
    front.configure([link(middle), link(twin)]);
    await untilChild(front, "leaf");
    const both = await front_(["account", "pin", "--proxy-name", "leaf", "alice"]);
    expect(both.code).toBe(1);
    expect(both.err).toContain("2 proxies are called leaf");
    expect(both.err).toContain(twin.url);
    expect((await twin.status()).state.pinned_account_id).toBeUndefined();
    expect((await leaf.status()).state.pinned_account_id).toBe("openai:bob");
    front.configure([link(middle)]);
    await until("it is gone", async () => (await front.status()).child_proxies.length === 1);
  });

  test("a child that does not know this proxy's key is named", async () => {
    front.configure([middle.url]);
    await until(
      "the key is gone",
      async () => {
        const ran = await front_(["account", "list", "--proxy-name", "middle"]);
        return ran.err.includes("middle does not allow this proxy to manage its accounts");
      },
      20_000,
    );
    front.configure([link(middle)]);
  });
});

describe("a login on the machine of a grandchild", () => {
  async function setup(how: { exitCode?: number; wait?: boolean }) {
    const chain = startChain([{ alias: "alice" }, { alias: "bob" }]);
    const directory = join(chain.directory, "bin");
    mkdirSync(directory);
    const codex: FakeCodex = fakeCodex(directory, { auth: chain.mock.authFile("bob"), ...how });
    const leaf = await chain.start({ name: "leaf", env: { CODEXLB_CODEX_BIN: codex.path } });
    const middle = await chain.start({ name: "middle", children: [link(leaf)] });
    const front = await chain.start({ name: "front", children: [link(middle)] });
    await until(
      "the front knows the leaf",
      async () => (await front.status()).child_proxies[0]?.child_proxies?.[0]?.name === "leaf",
      20_000,
    );
    return { chain, front, middle, leaf, codex };
  }

  test("streams the output of codex, uses the device flow, and ends with the account in service", async () => {
    const { chain, front, leaf, codex } = await setup({});
    await using _ = chain;
    const ran = await chain.run(["account", "login", "--proxy-name", "leaf", "bob"], {
      CODEXLB_ROOT: front.layout.root,
    });
    expect(ran).toMatchObject({ code: 0 });
    expect(ran.out).toContain("enter ABCD-1234\n");
    expect(ran.out).toEndWith("registered account bob (total=1)\n");
    expect(codex.starts().map(({ args }) => args)).toEqual([["login", "--device-auth"]]);
    expect((await leaf.status()).accounts.map(({ alias }) => alias)).toEqual(["bob"]);
  });

  test("that fails returns codex's exit code", async () => {
    const { chain, front, leaf } = await setup({ exitCode: 7 });
    await using _ = chain;
    const ran = await chain.run(["account", "login", "--proxy-name", "leaf", "bob"], {
      CODEXLB_ROOT: front.layout.root,
    });
    expect(ran.code).toBe(1);
    expect(ran.out).toContain("enter ABCD-1234\n");
    expect(ran.err).toContain("codex login exited with code 7");
    expect((await leaf.status()).accounts).toEqual([]);
    const plain = await fetch(`${front.url}/admin/account/login?stream=1`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/x-ndjson",
        authorization: `Bearer ${front.adminToken}`,
        "x-codexlb-target-proxy-name": "leaf",
      },
      body: JSON.stringify({ alias: "bob" }),
    });
    expect(JSON.parse((await plain.text()).trim().split("\n").at(-1) ?? "")).toMatchObject({ exit_code: 7 });
  });

  /** Begins a login that waits; resolves at the first output of codex. */
  async function waitingLogin(front: ChainNode, signal?: AbortSignal) {
    const answer = await fetch(`${front.url}/admin/account/login?stream=1`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        authorization: `Bearer ${front.adminToken}`,
        "x-codexlb-target-proxy-name": "leaf",
      },
      body: JSON.stringify({ alias: "bob" }),
      ...(signal === undefined ? {} : { signal }),
    });
    const reader = answer.body?.getReader();
    let said = "";
    while (!said.includes("ABCD-1234")) said += new TextDecoder().decode((await reader?.read())?.value);
    return reader;
  }

  test("ends when the client disconnects", async () => {
    const { chain, front, codex } = await setup({ wait: true });
    await using _ = chain;
    const controller = new AbortController();
    await waitingLogin(front, controller.signal);
    const pid = codex.pid();
    controller.abort();
    await until(
      "codex is gone",
      () => {
        try {
          process.kill(pid, 0);
          return false;
        } catch {
          return true;
        }
      },
      20_000,
    );
  });

  test("breaks off if the connection is cut, without an error of the front", async () => {
    const { chain, front, middle } = await setup({ wait: true });
    await using _ = chain;
    const reader = await waitingLogin(front);
    await middle.kill();
    const ended = async () => {
      while ((await reader?.read())?.done === false);
      return "a clean end";
    };
    expect(await ended().catch(() => "cut")).toBe("cut");
    await until("it is heard of", () => front.said().includes("child proxy middle"), 30_000);
    expect(front.said()).not.toMatch(/Error|errno|verbose/);
  });

  test("is closed to clients without permission", async () => {
    const { chain, front } = await setup({});
    await using _ = chain;
    const ran = await chain.run([
      "account",
      "login",
      "--proxy-url",
      front.url,
      "--proxy-name",
      "leaf",
      "--admin-token",
      "guess",
      "bob",
    ]);
    expect(ran.code).toBe(1);
    expect(ran.err).toContain("does not know this token or key, so the secret was not sent");
  });
});
