// Every error has a next step, whatever its code, on every surface where a user or a client reads it.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { refusedWith, seeLog } from "../../src/admin/door.ts";
import { withErrors } from "../../src/admin/errors.ts";
import { CodexlbError, ERROR_CODES, type ErrorCode } from "../../src/errors.ts";
import { said } from "../../src/login/container.ts";
import { errorResponse, refusalEvent } from "../../src/proxy/refusal.ts";

const CODES = Object.keys(ERROR_CODES) as ErrorCode[];
const MESSAGE = "writing the file failed";
const NEXT = "free some space";
const WHOLE = `${MESSAGE}; ${NEXT}`;
const DOOR = { url: "http://127.0.0.1:1" };
const ADMIN_PAGE = "https://github.com/gngeorgiev/codexlb/blob/main/docs/admin-api.md";
const CORRECT = `correct the request: ${ADMIN_PAGE}`;
const REPORT_BUG =
  "this is a bug in codexlb; please report it at https://github.com/gngeorgiev/codexlb/issues";

const errorOf = (code: ErrorCode, isExact = false) =>
  new CodexlbError(code, MESSAGE, { next: NEXT, isExact });

function admin(thrown: unknown): Promise<Response> {
  const app = withErrors(new Hono());
  app.get("/", () => {
    throw thrown;
  });
  return Promise.resolve(app.request("/"));
}

const surfaces: Readonly<Record<string, (code: ErrorCode) => Promise<unknown>>> = {
  "the data plane": async (code) =>
    ((await errorResponse(errorOf(code)).json()) as { error: { next: unknown } }).error.next,
  "a WebSocket turn": async (code) => {
    const response = errorResponse(errorOf(code));
    const body = await response.text();
    const event = refusalEvent({ status: response.status, code, retryAfterSeconds: undefined, body });
    return JSON.parse(event).error.next;
  },
  "a WebSocket turn that can be retried": async (code) => {
    const response = errorResponse(errorOf(code));
    const body = await response.text();
    const event = refusalEvent({ status: response.status, code, retryAfterSeconds: 1, body });
    return JSON.parse(event).error.next;
  },
  "the admin API": async (code) => ((await (await admin(errorOf(code))).json()) as { next: unknown }).next,
  "the JSON lines of login-with": async (code) => said.failure(errorOf(code)).next,
  "an admin call relayed to another proxy": async (code) => {
    const response = await admin(errorOf(code));
    const { message, next } = refusedWith(DOOR, response.status, await response.text());
    expect(message).toBe(MESSAGE);
    return next;
  },
  "an error of another proxy's data plane": async (code) => {
    const response = errorResponse(errorOf(code));
    const { message, next } = refusedWith(DOOR, response.status, await response.text());
    expect(message).toBe(MESSAGE);
    return next;
  },
};
for (const [surface, nextOn] of Object.entries(surfaces))
  test(`${surface} has the next step for every code`, async () => {
    for (const code of CODES) expect([code, await nextOn(code)]).toEqual([code, NEXT]);
  });

test("a command prints the next step on the line after the message, for every code", async () => {
  const source = join(import.meta.dir, "..", "..", "src");
  const script = `
    import { report } from ${JSON.stringify(join(source, "cli", "report-error.ts"))};
    import { CodexlbError, ERROR_CODES } from ${JSON.stringify(join(source, "errors.ts"))};
    for (const code of Object.keys(ERROR_CODES))
      report(new CodexlbError(code, code + ": failed", { next: ${JSON.stringify(NEXT)} }));`;
  const child = Bun.spawn([process.execPath, "-e", script], {
    env: { PATH: process.env.PATH ?? "" },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  expect(await child.stderr.text()).toBe(
    CODES.map((code) => `codexlb: ${code}: failed\n  ${NEXT}\n`).join(""),
  );
});

test("the text of an admin error ends with the next step, unless clients compare it", async () => {
  expect(await (await admin(errorOf("busy"))).json()).toMatchObject({ error: WHOLE, message: MESSAGE });
  expect(await (await admin(errorOf("busy", true))).json()).toMatchObject({ error: MESSAGE, next: NEXT });
});

test("the admin API has a next step for errors that are not codexlb's, and for unknown paths", async () => {
  const bodies = [
    await admin(new Error("oops")),
    await admin(new HTTPException(400, { message: "malformed JSON" })),
    await withErrors(new Hono()).request("/admin/nothing"),
  ].map((response) => response.json());
  expect(await Promise.all(bodies)).toEqual([
    { error: `oops; ${REPORT_BUG}`, code: "internal", message: "oops", next: REPORT_BUG },
    {
      error: `malformed JSON; ${CORRECT}`,
      code: "invalid_request",
      message: "malformed JSON",
      next: CORRECT,
    },
    {
      error: "admin endpoint not found",
      code: "not_found",
      message: "admin endpoint not found",
      next: `use an endpoint that is listed on ${ADMIN_PAGE}`,
    },
  ]);
});

test.each([
  ["the Go program's admin API", 404, { error: "account not found: bob" }],
  ["an older admin API", 404, { error: "no account", code: "account_not_found", message: "no account" }],
  ["an older data plane", 401, { error: { type: "codexlb_error", code: "unauthorized", message: "no key" } }],
] as const)("an error of %s, which has no next step, gets one", (_, status, body) => {
  expect(refusedWith(DOOR, status, JSON.stringify(body)).next).toBe(seeLog());
});
