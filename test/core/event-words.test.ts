// The words of the event log: what it shows by default has no codes and no names of events.

import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { eventText, eventWords } from "../../src/core/event-words.ts";
import { levelOf } from "../../src/core/log-level.ts";
import { switchText } from "../../src/core/reason-words.ts";

const SOURCES = join(import.meta.dir, "..", "..", "src");

/** The names of events that the sources append to the log. */
function appendedEvents(): string[] {
  const found = readdirSync(SOURCES, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .flatMap((path) => [
      ...readFileSync(join(SOURCES, path), "utf8").matchAll(/events\.append\(\s*"([a-z_.]+)"/g),
    ])
    .map(([, name = ""]) => name);
  const accounts = [
    "changed",
    "disabled",
    "draining",
    "enabled",
    "imported",
    "pinned",
    "removed",
    "unpinned",
  ];
  const upstreams = ["account", "child_proxy"].flatMap((kind) => [`${kind}.cooldown`, `${kind}.disabled`]);
  return [...new Set([...found, ...accounts.map((change) => `account.${change}`), ...upstreams])];
}

test("every event that is shown by default has words", () => {
  const shown = appendedEvents().filter((event) => levelOf({ event, fields: {} }) !== "debug");
  expect(shown.length).toBeGreaterThan(25);
  for (const event of shown) {
    const { what } = eventWords({ event, fields: {} });
    expect([event, what]).not.toEqual([event, event]);
    expect(what).not.toMatch(/\w+\.\w+_?\w*$/);
  }
});

test.each([
  [
    "account.cooldown",
    { reason: "usage-limit", window: "daily", cooldown_seconds: 3600 },
    "cooling down for 1 h (5h limit)",
  ],
  [
    "account.cooldown",
    { reason: "usage-limit", cooldown_seconds: 3600 },
    "cooling down for 1 h (limit reached)",
  ],
  [
    "account.cooldown",
    { reason: "http-503", cooldown_seconds: 120 },
    "cooling down for 2 min (backend error 503)",
  ],
  ["account.disabled", { reason: "refresh-token-invalidated" }, "disabled (login expired)"],
  ["account.disabled", {}, "disabled by you"],
  ["account.disabled", { by: "replica", replica: "office" }, "disabled by you on office"],
  ["account.pinned", { by: "replica", replica: "office" }, "pinned by you on office"],
  ["account.pinned", { by: "replica" }, "pinned by you on another replica"],
  ["account.imported", { by: "replica", replica: "office" }, "login enrolled on office"],
  [
    "cluster.degraded",
    { code: "cluster_unreachable" },
    "the shared pool cannot be used; this replica works with what it knows",
  ],
  [
    "cluster.degraded",
    { code: "same_replica_twice" },
    "another process is connected to the shared pool as this replica, which works with what it knows",
  ],
  [
    "cluster.records_missing",
    { replica: "lab", records: 200 },
    "200 records of turns and switches on lab will be missing here, because the pool's server no longer has them",
  ],
  [
    "cluster.records_unknown",
    { records: 1 },
    "ignored 1 record of turns and switches that a later version of codexlb sent",
  ],
  ["request.waiting", { wait_seconds: 21_600, window: "daily" }, "a turn waits up to 6 h for the 5h reset"],
  ["request.waiting", { wait_seconds: 21_600 }, "a turn waits up to 6 h for a reset"],
  [
    "request.queued",
    { wait_seconds: 60 },
    "a turn waits up to 1 min for a slot, because every account that could serve it is full",
  ],
  ["request.queue_ended", { waited_seconds: 3, reason: "placed" }, "a turn got a slot after 3 s"],
  [
    "request.queue_ended",
    { waited_seconds: 60, reason: "expired" },
    "a turn stopped waiting for a slot after 1 min: the maximum wait was reached",
  ],
  [
    "websocket.failed",
    { error: "usage_limit_reached" },
    "a session was refused because no account can serve (usage limit reached)",
  ],
  [
    "websocket.failed",
    { error: "usage_limit_reached", required_tags: "work or home" },
    "a session was refused because no account with the tag work or home can serve (usage limit reached)",
  ],
  [
    "websocket.failed",
    { error: "usage_limit_reached", pinned_to: "alice" },
    "a session was refused because its run is pinned to alice, which cannot serve (usage limit reached)",
  ],
  [
    "websocket.failed",
    { error: "upstream_unreachable", required_tags: "work" },
    "no WebSocket could be opened to an account with the tag work (upstream unreachable)",
  ],
  ["websocket.handover", {}, "Codex reconnects to continue on another account"],
  [
    "request.failed",
    { method: "GET", path: "/backend-api/x", client: "codex", status: 404 },
    "GET /backend-api/x from Codex was refused with status 404",
  ],
  [
    "request.failed",
    { status: 503, error: "all_exhausted" },
    "a request was refused with status 503 (all exhausted)",
  ],
  [
    "config.reload_failed",
    { path: "/r/config.toml", error: "line 1: x" },
    "config.toml is invalid, so the last valid settings stay in effect (line 1: x)",
  ],
  [
    "proxy.started",
    { listen: "127.0.0.1:1", upstream: "http://x" },
    "started on 127.0.0.1:1, backend http://x",
  ],
] as const)("%s %j", (event, fields, words) => {
  const { what, details } = eventWords({ event, fields });
  expect(`${what}${details}`).toBe(words);
  expect(eventText({ event, fields }, "->")).toBe(words);
});

test("an event without words keeps its name and its fields", () => {
  expect(eventWords({ event: "some.new_event", fields: { a: 1 } })).toEqual({
    what: "some.new_event",
    details: "  a=1",
  });
});

test("a switch on another replica names the replica", () => {
  const event = "request.switched";
  const fields = { from: "alice", to: "bob", reason: "usage-limit", window: "weekly" };
  const words = (more: object) => {
    const shown = { event, fields: { ...fields, ...more } };
    return [eventWords(shown).what, eventText(shown, "->")];
  };
  expect(words({})).toEqual(["took over from alice (Weekly limit)", "alice: Weekly limit -> bob"]);
  expect(words({ replica: "lab" })).toEqual([
    "took over from alice on lab (Weekly limit)",
    "alice: Weekly limit -> bob (on lab)",
  ]);
  expect(switchText({ ...fields, count: 4, replica: "lab" }, "->")).toBe(
    "alice: Weekly limit -> bob (4 turns on lab)",
  );
});
