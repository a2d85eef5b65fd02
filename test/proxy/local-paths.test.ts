import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { remoteStub } from "../../src/admin/client.ts";
import { socketDoor } from "../../src/admin/door.ts";
import { readClaims } from "../../src/auth/claims.ts";
import { makePrivateDirectory, writeFileAtomic } from "../../src/state/atomic-file.ts";
import { startPool, until } from "../support/pool.ts";

interface Usage {
  readonly plan_type: string;
  readonly rate_limit: {
    readonly primary_window: Record<string, number>;
    readonly secondary_window: Record<string, number>;
  };
}

describe("the proxy itself answers", () => {
  test("/healthz and /", async () => {
    await using pool = await startPool({ accounts: [] });
    expect(await (await fetch(`${pool.url}/healthz`)).json()).toEqual({ ok: true });
    expect(await (await fetch(`${pool.url}/`)).json()).toEqual({ ok: true, service: "codexlb-proxy" });
    expect((await fetch(`${pool.url}/`, { method: "HEAD" })).status).toBe(200);
  });

  test("the account check, for every account", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    for (const path of [
      "/backend-api/wham/accounts/check",
      "/wham/accounts/check",
      "/api/codex/accounts/check",
    ]) {
      const answer = await fetch(pool.url + path, { headers: { "chatgpt-account-id": "proxy-only" } });
      expect(await answer.json()).toMatchObject({
        accounts: [
          {
            id: "proxy-only",
            workspace_backend_origin: "https://chatgpt.com",
            account_routing_override: "NO_CONSTRAINT",
          },
        ],
        default_account_id: "proxy-only",
      });
    }
  });

  test("the usage of the whole pool, in integers, on every spelling of the path", async () => {
    await using pool = await startPool({
      accounts: [
        { alias: "alice", turns: 3, plan: "team" },
        { alias: "bob", turns: 3, plan: "plus" },
      ],
      prepare: (_layout, mock) => {
        mock.accounts.spend(mock.accounts.byAlias("alice"), "demo");
      },
    });
    await until("figures are known", async () =>
      (await pool.status()).accounts.every((one) => one.daily_left_pct >= 0),
    );
    for (const path of [
      "/backend-api/wham/usage",
      "/wham/usage",
      "/api/codex/usage",
      "/usage",
      "/backend-api/api/codex/usage",
      "//backend-api/wham/usage",
      "/backend-api/wham/%75sage",
    ]) {
      const usage = (await (await fetch(pool.url + path)).json()) as Usage;
      const { primary_window } = usage.rate_limit;
      // One of three turns on one account of two: 33 % and 0 %.
      expect(primary_window.used_percent ?? -1).toBe(17);
      expect(usage.plan_type).toBe("team");
      expect(usage.rate_limit).toMatchObject({ allowed: true, limit_reached: false });
      for (const window of [primary_window, usage.rate_limit.secondary_window])
        for (const [key, value] of Object.entries(window))
          expect([key, Number.isInteger(value)]).toEqual([key, true]);
    }
  });

  test("Codex's token requests, in JSON and as a form, with a stub and never with a real token", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice", plan: "team" }] });
    const { stub } = await remoteStub(socketDoor(pool.layout.adminSocket));
    const fields = { grant_type: "refresh_token", client_id: "x", refresh_token: stub.tokens.refresh_token };
    const bodies = [
      { body: JSON.stringify(fields), type: "application/json" },
      { body: new URLSearchParams(fields).toString(), type: "application/x-www-form-urlencoded" },
    ];
    for (const { body, type } of bodies) {
      const answer = await fetch(`${pool.url}/oauth/token`, {
        method: "POST",
        body,
        headers: { "content-type": type },
      });
      const tokens = (await answer.json()) as Record<string, string>;
      expect(readClaims(tokens.access_token ?? "")).toMatchObject({
        chatgptAccountId: "proxy-only",
        planType: "team",
      });
      expect(tokens.id_token).toBe(tokens.access_token ?? "none");
      expect(tokens.refresh_token).toBe(stub.tokens.refresh_token);
    }
    const kept = await fetch(`${pool.url}/oauth/token?id_token=keep`, {
      method: "POST",
      body: JSON.stringify(fields),
      headers: { "content-type": "application/json" },
    });
    expect(Object.keys((await kept.json()) as object).sort()).toEqual([
      "access_token",
      "refresh_token",
      "token_type",
    ]);
    // The Go program's marker is public, so it does not work as a credential.
    for (const refresh_token of ["x", "codexlb-runtime-refresh", ""]) {
      const wrong = await fetch(`${pool.url}/oauth/token`, {
        method: "POST",
        body: JSON.stringify({ ...fields, refresh_token }),
      });
      expect(wrong.status).toBe(401);
    }
    const other = await fetch(`${pool.url}/oauth/token`, {
      method: "POST",
      body: JSON.stringify({ grant_type: "password" }),
    });
    expect(other.status).toBe(400);
    expect(pool.mock.requests.filter((one) => one.point === "token")).toEqual([]);
  });

  test("its status, with the current pool", async () => {
    await using pool = await startPool({ accounts: [{ alias: "bob" }, { alias: "alice" }] });
    const status = await pool.status();
    expect(status.accounts.map((one) => one.alias)).toEqual(["alice", "bob"]);
    expect(status.state.message_counter).toBe(0);
  });

  test("whether the home of codexlb run is valid", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const check = async () => {
      const answer = await fetch(`${pool.url}/health/auth-runtime`);
      return { status: answer.status, ...((await answer.json()) as Record<string, unknown>) };
    };
    expect(await check()).toMatchObject({
      status: 503,
      ok: false,
      exists: false,
      issue: "missing auth.json",
    });
    const { stub } = await remoteStub(socketDoor(pool.layout.adminSocket));
    const write = (auth: unknown) => {
      makePrivateDirectory(pool.layout.runtime);
      writeFileAtomic(join(pool.layout.runtime, "auth.json"), JSON.stringify(auth));
    };
    write(stub);
    expect(await check()).toMatchObject({
      status: 200,
      ok: true,
      account_id: "proxy-only",
      access_subject: "codexlb-proxy-only",
      access_email: "proxy-only@codexlb.internal",
      refresh_token_proxy: true,
      access_equals_id_token: true,
    });
    write({ ...stub, tokens: { ...stub.tokens, account_id: "real" } });
    expect(await check()).toMatchObject({
      status: 503,
      issue: 'tokens.account_id is "real", not "proxy-only"',
    });
    const status = (await (await fetch(`${pool.url}/status`)).json()) as { runtime_auth: unknown };
    expect(status.runtime_auth).toMatchObject({ ok: false, account_id: "real" });
  });
});
