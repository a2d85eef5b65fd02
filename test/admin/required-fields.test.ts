// The errors for fields of a request that are missing or of the wrong type.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { startPool, type TestPool } from "../support/pool.ts";

let pool: TestPool;
beforeAll(async () => {
  pool = await startPool({ accounts: [{ alias: "alice" }] });
});
afterAll(() => pool[Symbol.asyncDispose]());

const ADD = (what: string) => `add the field to the ${what} request`;
const CORRECT =
  "correct the request; its fields are listed on https://github.com/gngeorgiev/codexlb/blob/main/docs/admin-api.md";

/** For a missing field, `error` does not contain `next`, because the Go program's clients compare it. */
const cases: readonly (readonly [path: string, body: unknown, message: string, next: string])[] = [
  ["/admin/account/pin", {}, "alias is required", ADD("pin")],
  ["/admin/account/pin", { alias: " " }, "alias is required", ADD("pin")],
  ["/admin/account/pin", { alias: 5 }, "invalid pin request: alias: must be a string", CORRECT],
  ["/admin/account/pin", { alias: null }, "invalid pin request: alias: must be a string", CORRECT],
  ["/admin/account/login", {}, "alias is required", ADD("login")],
  ["/admin/account/import", { auth: {} }, "alias is required", ADD("import")],
  ["/admin/key/add", {}, "name is required", ADD("key")],
  ["/admin/key/rm", { name: "" }, "name is required", ADD("key")],
  ["/admin/key/add", { name: [] }, "invalid key request: name: must be a string", CORRECT],
];
for (const [path, body, message, next] of cases)
  test(`${path} ${JSON.stringify(body)}: ${message}`, async () => {
    const response = await fetch(`http://localhost${path}`, {
      unix: pool.layout.adminSocket,
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const error = message.endsWith("is required") ? message : `${message}; ${next}`;
    expect([response.status, await response.json()]).toEqual([
      400,
      { error, code: "invalid_request", message, next },
    ]);
  });
