// Limits of client keys with real Codex: what its user sees when a limit refuses a turn in the middle of a session.

import { expect } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { gated } from "../support/gated.ts";
import { until } from "../support/pool.ts";
import { startAppServer, startThread } from "./app-server.ts";
import { CODEX_VERSIONS, codexBinary, whyNoCodex } from "./codex-binaries.ts";
import { type Recorder, startRecorder } from "./recorder.ts";
import { NO_WEBSOCKET, startReal } from "./setup.ts";

const { afterAll, beforeAll, describe, test } = gated(
  "real Codex, limits of keys",
  whyNoCodex(CODEX_VERSIONS.newest),
);

let newest = "";
let recorder: Recorder;
beforeAll(async () => {
  newest = await codexBinary(CODEX_VERSIONS.newest);
  recorder = await startRecorder();
}, 300_000);
afterAll(() => recorder[Symbol.asyncDispose]());

const CONFIG = '[proxy]\nclient_auth = true\n[policy]\nmode = "sticky"\n';

/** A session of one Codex process, on another root than the proxy's, with a key of the proxy. */
async function startSession(transport: "WebSocket" | "server-sent events") {
  const setup = await startReal(recorder, [{ alias: "alice" }], CONFIG);
  if (transport !== "WebSocket") setup.mock.faults.add(NO_WEBSOCKET);
  const key = (await setup.tool.run(["key", "add", "laptop"])).out.trim();
  const root = join(setup.tool.directory, "elsewhere");
  mkdirSync(root, { mode: 0o700 });
  const more = { CODEXLB_ROOT: root, CODEXLB_CLIENT_KEY: key };
  const server = startAppServer(setup, newest, recorder.url, more);
  const thread = await startThread(server, setup);
  return {
    setup,
    /** Sends a turn. Resolves to its status, and the error that Codex shows. */
    turn: async () => {
      const { turn } = (await thread.turn("hello")) as {
        turn: { status: string; error: { message: string } | null };
      };
      const shown = `${turn.status}: ${turn.error?.message ?? ""}`;
      console.log(`${transport}: ${shown}`);
      return shown;
    },
    /** The errors during turns, such as reconnections. */
    errors: () => server.notifications("error").map((error) => JSON.stringify(error)),
    set: async (...flags: string[]) => {
      const { code, err } = await setup.tool.run(["key", "set", "laptop", ...flags]);
      expect([code, err]).toEqual([0, ""]);
    },
    /** The requests for turns that reached the backend. */
    sent: () => setup.mock.requests.filter(({ point }) => point === "sse" || point === "message").length,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await setup[Symbol.asyncDispose]();
    },
  };
}

describe.each(["WebSocket", "server-sent events"] as const)(
  "in the middle of a session over %s",
  (transport) => {
    test("Codex stops at once and shows that the model is not allowed, the tokens are spent, or the key expired", async () => {
      await using session = await startSession(transport);
      expect(await session.turn()).toBe("completed: ");
      const sent = session.sent();

      await session.set("--models", "no-such-*");
      expect(await session.turn()).toMatch(
        /^failed: .*the key laptop cannot use the model \S+; allowed: no-such-\*/,
      );

      await session.set("--models", "none", "--tokens-per-day", "1");
      // The tokens of the first turn came before the first limit, so they do not count.
      expect(await session.turn()).toBe("completed: ");
      expect(await session.turn()).toMatch(
        /^failed: You’ve hit your usage limit\. The key laptop has used its 1 tokens for today: ask the owner of the proxy for more, or try again at /,
      );

      await session.set("--tokens-per-day", "none", "--expires", "1s");
      const { expires_at_ms } = JSON.parse(
        (await session.setup.tool.run(["key", "show", "laptop", "--json"])).out,
      );
      await until("the key has expired", () => Date.now() >= expires_at_ms);
      expect(await session.turn()).toMatch(/^failed: .*the key laptop expired on /);
      expect(session.sent()).toBe(sent + 1);
      expect(session.errors().join("\n")).not.toMatch(/Reconnecting|Falling back/);

      await session.set("--expires", "none");
      expect(await session.turn()).toBe("completed: ");
    });

    test("Codex waits for the minute to pass, and completes the turn by itself", async () => {
      await using session = await startSession(transport);
      await session.set("--rpm", "1");
      expect(await session.turn()).toBe("completed: ");
      expect(await session.turn()).toBe("completed: ");
      const refused = (await session.setup.tool.run(["proxy", "logs", "--tail", "0"])).out;
      expect(refused.split("\n").filter((line) => line.includes('"key.refused"'))).toHaveLength(1);
      expect(refused).toContain('"limit":"rpm"');
    });
  },
);
