import { describe, expect, test } from "bun:test";
import { createSseClient } from "../../src/mock/client.ts";
import { limitBody, startPool } from "../support/pool.ts";

describe("an account on another host of the backend", () => {
  const elsewhere = (origin: string, override: string) => ({
    on: "accounts" as const,
    account: "alice",
    answer: {
      status: 200,
      body: {
        accounts: [
          { id: "mock-alice", workspace_backend_origin: origin, account_routing_override: override },
        ],
      },
    },
  });

  test("gets its turns there with its region, and its route is requested once", async () => {
    let path = "";
    let headers = new Headers();
    using region = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request) => {
        // Bun frees a request's parts once it was answered.
        path = new URL(request.url).pathname;
        headers = new Headers(request.headers);
        return Response.json({ error: limitBody(1) }, { status: 404 });
      },
    });
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    pool.mock.faults.add(elsewhere(`http://127.0.0.1:${region.port}`, "us"));
    for (let count = 0; count < 3; count++)
      await fetch(`${pool.url}/backend-api/codex/responses`, { method: "POST", body: "{}" });
    expect(path).toBe("/backend-api/codex/responses");
    expect(headers.get("x-openai-account-routing-override")).toBe("us");
    expect(headers.get("chatgpt-account-id")).toBe("mock-alice");
    expect(pool.mock.requests.filter((one) => one.point === "accounts").length).toBe(1);
    await region.stop(true);
  });

  test("never has its token sent to a host that is not the backend's", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    pool.mock.faults.add(elsewhere("https://evil.example", "us"));
    expect(await createSseClient(pool.url, "s").turn("x")).toBe("Hello from alice");
    expect(pool.warnings.join()).toContain("https://evil.example, which is not below the configured backend");
  });

  test("whose route cannot be requested uses the configured backend", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    pool.mock.faults.add({ on: "accounts", answer: { status: 500 } });
    expect(await createSseClient(pool.url, "s").turn("x")).toBe("Hello from alice");
  });
});
