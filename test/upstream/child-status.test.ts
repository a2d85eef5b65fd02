// Tests how the refusal of a status request by a child proxy is explained.

import { expect, test } from "bun:test";
import { CodexlbError, dataPlaneErrorBody } from "../../src/errors.ts";
import { createOutbound } from "../../src/network/egress.ts";
import { createChildren } from "../../src/upstream/children.ts";
import { fakeClock } from "../support/clock.ts";

/** The front's explanation for a child that returns 401 with `body`. */
async function whyRefused(body: unknown): Promise<string | undefined> {
  await using server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    development: false,
    fetch: () => Response.json(body, { status: 401 }),
  });
  const children = createChildren({
    outbound: createOutbound({ env: {} }),
    deps: {
      clock: fakeClock(),
      random: (bytes) => new Uint8Array(bytes),
      log: { info: () => {}, warn: () => {} },
    },
    events: { append: () => {}, flush: () => {} },
    urls: () => [`http://:clb_key@127.0.0.1:${server.port}`],
    self: () => ({ name: "front", id: "f" }),
    refreshTimeoutMs: () => 1_000,
  });
  await children.start({ sync: () => {}, note: () => {} }, 60_000);
  const observation = children.list()[0]?.observation();
  children.stop();
  return observation?.kind === "lost" ? observation.why : undefined;
}

const OF_A_CLIENT = "the key does not have the parent role (401)";

test("the code shows that the key has the client role", async () => {
  const error = new CodexlbError("key_role_refused", "in any words", { next: "ask its owner" });
  expect(await whyRefused(dataPlaneErrorBody(error))).toBe(OF_A_CLIENT);
});

test("the message of a version without the code shows it too", async () => {
  const error = new CodexlbError(
    "unauthorized",
    "this key may send requests, but not read anything about the accounts",
    { next: "ask its owner" },
  );
  expect(await whyRefused(dataPlaneErrorBody(error))).toBe(OF_A_CLIENT);
});

test("another code means that the key was refused", async () => {
  const error = new CodexlbError("unauthorized", "this proxy requires a key", { next: "make one" });
  expect(await whyRefused(dataPlaneErrorBody(error))).toBe("it refused the key (401)");
});

test("an error of another kind does not come from a codexlb proxy", async () => {
  expect(await whyRefused({ error: { type: "invalid_request_error", code: "x", message: "y" } })).toBe(
    "GET /status returned 401: it is not a codexlb proxy",
  );
});
