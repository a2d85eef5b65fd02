// Requests that are wrong in their method, path, query or body get an error that says so in plain words.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { outcome } from "../support/outcome.ts";
import { startPool, type TestPool } from "../support/pool.ts";

let pool: TestPool;
beforeAll(async () => {
  pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
});
afterAll(() => pool[Symbol.asyncDispose]());

interface Refusal {
  readonly error: string;
  readonly code: string;
  readonly message: string;
  readonly next: string;
}

const send = (method: string, path: string, body?: string) =>
  fetch(`http://localhost${path}`, {
    unix: pool.layout.adminSocket,
    method,
    ...(body === undefined ? {} : { body, headers: { "content-type": "application/json" } }),
  });
const refusal = async (response: Response) => (await response.json()) as Refusal;

describe("a wrong method", () => {
  test.each([
    ["GET", "/admin/account/pin", "POST"],
    ["PUT", "/admin/keys", "GET, HEAD"],
    ["DELETE", "/logs", "GET, HEAD"],
    ["GET", "/admin/challenge", "POST"],
  ])("%s %s is refused with the methods that the path has", async (method, path, allowed) => {
    const response = await send(method, path);
    expect([response.status, response.headers.get("allow")]).toEqual([405, allowed]);
    expect(await refusal(response)).toMatchObject({
      code: "method_refused",
      message: `${path} does not support ${method}`,
      next: `use ${allowed.replace(", ", " or ")}`,
    });
  });

  test("on a path that does not exist is an unknown endpoint, as for the Go program", async () => {
    const response = await send("PUT", "/admin/nothing");
    expect([response.status, (await refusal(response)).error]).toEqual([404, "admin endpoint not found"]);
  });
});

describe("a wrong query", () => {
  test.each([
    ["/logs?tail=x", "tail"],
    ["/logs?tail=0", "tail"],
    ["/logs?offset=-5", "offset"],
    ["/logs?limit=1.5", "limit"],
    ["/status?refresh=maybe", "refresh"],
  ])("%s is refused", async (path, name) => {
    const response = await send("GET", path);
    const { code, message, next } = await refusal(response);
    expect([response.status, code]).toEqual([400, "invalid_request"]);
    expect(message).toStartWith(`${name} `);
    expect(next).not.toBe("");
  });

  test.each(["/logs?limit=0&tail=5", "/logs?limit=-1", "/logs?tail=", "/status?refresh=0", "/status?x=1"])(
    "%s is accepted, as by the Go program",
    async (path) => {
      expect((await send("GET", path)).status).toBe(200);
    },
  );
});

describe("a wrong body", () => {
  const LIST = "correct the request; its fields are listed on ";
  test.each([
    ["/admin/account/import", { alias: "x", auth: [] }, "import request: auth: must be a JSON object"],
    [
      "/admin/account/import",
      { alias: "x", replace: "yes" },
      "import request: replace: must be true or false",
    ],
    ["/admin/challenge", { nonce: "n" }, "challenge request: key_id: is missing"],
    ["/admin/account/login", { alias: "x", login_args: "-x" }, "login request: login_args: must be a list"],
    [
      "/admin/account/login",
      { alias: "x", login_args: [1] },
      "login request: login_args.0: must be a string",
    ],
    ["/admin/account/pin", { alias: "alice", force: 1, x: 2 }, 'pin request: unknown fields: "force", "x"'],
    ["/admin/account/pin", [], "pin request: must be a JSON object"],
    [
      "/admin/key/add",
      { name: "k", role: "root" },
      "key request: role: must be one of: client, parent, metrics",
    ],
    ["/admin/dashboard/link", { x: 1 }, 'dashboard link request: unknown field: "x"'],
  ])("%s %j: invalid %s", async (path, body, message) => {
    const response = await send("POST", path, JSON.stringify(body));
    const answer = await refusal(response);
    expect([response.status, answer.message]).toEqual([400, `invalid ${message}`]);
    expect(answer.next).toStartWith(LIST);
  });

  test.each(["/admin/account/pin", "/admin/account/unpin"])("of %s that is not JSON", async (path) => {
    const response = await send("POST", path, '{"x');
    expect([response.status, (await refusal(response)).message]).toEqual([400, "the body is not valid JSON"]);
  });

  test.each([undefined, "", "{}", "null", '{"alias":"alice"}'])("unpin takes the body %j", async (body) => {
    expect((await send("POST", "/admin/account/unpin", body)).status).toBe(200);
  });
});

test("an import that needs `replace` names the field, and the command its flag", async () => {
  const auth = JSON.parse(pool.mock.authFile("alice"));
  const response = await send("POST", "/admin/account/import", JSON.stringify({ alias: "bob", auth }));
  const { code, next } = await refusal(response);
  expect([code, next]).toEqual([
    "identity_differs",
    'use another alias, or set "replace": true to discard the enrolled login',
  ]);
  expect(
    await outcome(
      pool.accounts.import("second", { auth: JSON.stringify(auth), config: undefined, replace: false }),
    ),
  ).toThrow(
    expect.objectContaining({
      code: "already_enrolled",
      next: "to update it, use that alias; to enrol it a second time, add --replace",
    }),
  );
});

test("an unknown path of the dashboard is not called an admin endpoint", async () => {
  const response = await fetch(`${pool.url}/_/nope`);
  expect([response.status, await refusal(response)]).toMatchObject([
    404,
    { message: "the dashboard has nothing at this path", next: "open it with: codexlb dashboard" },
  ]);
});

test("a browser that guesses /dashboard learns how to open it", async () => {
  const response = await fetch(`${pool.url}/dashboard`);
  const { error } = (await response.json()) as { error: { code: string; message: string } };
  expect(error).toMatchObject({ code: "path_refused" });
  expect(error.message).toContain("codexlb dashboard");
  expect(error.message).not.toContain("allowed_paths");
});
