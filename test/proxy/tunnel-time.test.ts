import { expect, test } from "bun:test";
import WebSocket from "ws";
import type { Clock } from "../../src/deps.ts";
import { systemDeps } from "../../src/deps.ts";
import { HOLD_MS } from "../../src/proxy/turn/commit-barrier.ts";
import { startPool, until } from "../support/pool.ts";

/** The real clock, except that the barrier's timers fire when the test says so. */
function barrierClock(): Clock & { release(): void } {
  const { clock } = systemDeps();
  const held: (() => void)[] = [];
  return {
    now: clock.now,
    monotonic: clock.monotonic,
    after: (ms, run) => {
      if (ms !== HOLD_MS) return clock.after(ms, run);
      held.push(run);
      return () => void held.splice(held.indexOf(run), held.includes(run) ? 1 : 0);
    },
    release: () => {
      for (const run of held.splice(0)) run();
    },
  };
}

test("a silent WebSocket turn forwards its events after ten seconds, and counts as a turn once its output arrives", async () => {
  const clock = barrierClock();
  await using pool = await startPool({ accounts: [{ alias: "alice" }], clock });
  const events = [
    { type: "response.created", response: { id: "r" } },
    { type: "response.output_text.delta", delta: "x" },
    { type: "response.completed", response: { id: "r" } },
  ];
  pool.mock.faults.add({ on: "message", events, gateAfter: 1 });
  const socket = new WebSocket(`${pool.url.replace("http", "ws")}/backend-api/codex/responses`);
  const types: string[] = [];
  socket.on("message", (data: Buffer) => void types.push(JSON.parse(data.toString()).type));
  await new Promise((resolve) => socket.once("open", resolve));
  socket.send(JSON.stringify({ type: "response.create", model: "m", input: [] }));
  await until("the backend has the turn", () => pool.mock.requests.some((one) => one.point === "message"));
  await until("the preamble is released", () => {
    clock.release();
    return types.includes("response.created");
  });
  expect((await pool.status()).state.message_counter).toBe(0);
  pool.mock.faults.release();
  await until("the turn is complete", () => types.includes("response.completed"));
  expect((await pool.status()).state.message_counter).toBe(1);
  socket.terminate();
});
