import { describe, expect, test } from "bun:test";
import { readinessObstacle } from "../../src/admin/readiness.ts";
import { createSseClient } from "../../src/mock/client.ts";
import { outcome } from "../support/outcome.ts";
import { startPool, type TestPool, until } from "../support/pool.ts";

const readiness = async ({ url }: TestPool) => {
  const response = await fetch(`${url}/readyz`);
  return [response.status, await response.json()];
};

const NO_ACCOUNT = {
  ok: false,
  reason: "no_account",
  message: "no account is in service: there is none, or all are disabled or draining",
};

describe("/readyz", () => {
  test("is 200 while an account is in service, even a cooling one, and needs no key", async () => {
    await using pool = await startPool({
      accounts: [{ alias: "alice" }, { alias: "bob" }],
      config: "[proxy]\nclient_auth = true\n",
    });
    expect(await readiness(pool)).toEqual([200, { ok: true }]);
    await pool.accounts.serve("alice", "drain");
    expect(await readiness(pool)).toEqual([200, { ok: true }]);
    await pool.accounts.serve("bob", "disable");
    expect(await readiness(pool)).toEqual([503, NO_ACCOUNT]);
    await pool.accounts.serve("bob", "enable");
    pool.mock.faults.add({ on: "sse", answer: { status: 503 } });
    await createSseClient(pool.url, "s")
      .turn("hello")
      .catch(() => {});
    expect(await readiness(pool)).toEqual([200, { ok: true }]);
    expect((await fetch(`${pool.url}/readyz`, { method: "HEAD" })).status).toBe(200);
  });

  test("is 503 for a proxy without accounts, which is alive", async () => {
    await using pool = await startPool({ accounts: [] });
    expect(await readiness(pool)).toEqual([503, NO_ACCOUNT]);
    expect((await fetch(`${pool.url}/healthz`)).status).toBe(200);
  });

  test("is 503 as soon as the proxy shuts down, and requests are served during the delay", async () => {
    await using pool = await startPool({
      accounts: [{ alias: "alice" }],
      config: "[proxy]\ndrain_delay_seconds = 600\n",
    });
    const hurry = new AbortController();
    const stopped = pool.daemon.stop("test", hurry.signal);
    await until("the proxy is not ready", async () => (await fetch(`${pool.url}/readyz`)).status === 503);
    expect((await readiness(pool))[1]).toEqual({
      ok: false,
      reason: "draining",
      message: "the proxy is shutting down",
    });
    expect(await createSseClient(pool.url, "s").turn("hello")).toBe("Hello from alice");
    hurry.abort();
    await stopped;
    expect(await outcome(fetch(`${pool.url}/readyz`))).toThrow();
  });

  test("is 503 for a replica that has not read its pool since its start, and names the reason", () => {
    const context = {
      pool: { hasServing: () => true },
      about: () => ({ draining: false }),
      sharing: () => ({
        pool: "team",
        hasRead: false,
        degraded: {
          sinceMs: 0,
          why: "contacting redis://engine: connection refused",
          code: "cluster_unreachable" as const,
        },
      }),
    };
    expect(readinessObstacle(context)).toEqual({
      reason: "pool_unread",
      message: "the pool team has not been read yet: contacting redis://engine: connection refused",
    });
    expect(
      readinessObstacle({
        ...context,
        sharing: () => ({ pool: "team", hasRead: true, degraded: undefined }),
      }),
    ).toBeUndefined();
  });
});
