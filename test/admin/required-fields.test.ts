// The errors for fields of a request that are missing or of the wrong type.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { startPool, type TestPool } from "../support/pool.ts";

let pool: TestPool;
beforeAll(async () => {
  pool = await startPool({ accounts: [{ alias: "alice" }] });
});
afterAll(() => pool[Symbol.asyncDispose]());

const cases: readonly (readonly [path: string, body: unknown, message: string])[] = [
  ["/admin/account/pin", {}, "alias is required"],
  ["/admin/account/pin", { alias: " " }, "alias is required"],
  ["/admin/account/pin", { alias: 5 }, "invalid pin request: alias: must be a text"],
  ["/admin/account/pin", { alias: null }, "invalid pin request: alias: must be a text"],
  ["/admin/account/login", {}, "alias is required"],
  ["/admin/account/import", { auth: {} }, "alias is required"],
  ["/admin/key/add", {}, "name is required"],
  ["/admin/key/rm", { name: "" }, "name is required"],
  ["/admin/key/add", { name: [] }, "invalid key request: name: must be a text"],
];
for (const [path, body, message] of cases)
  test(`${path} ${JSON.stringify(body)}: ${message}`, async () => {
    const response = await fetch(`http://localhost${path}`, {
      unix: pool.layout.adminSocket,
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    expect([response.status, await response.json()]).toEqual([
      400,
      { error: message, code: "invalid_request", message },
    ]);
  });
