import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loggedSwitches } from "../../src/upstream/logged-switches.ts";
import { tempDirectory } from "../support/temp.ts";

const TS = "2026-11-28T12:00:00.000Z";

function lineOf(fields: Record<string, unknown>, event = "request.switched"): string {
  return `${JSON.stringify({ ts: TS, event, fields })}\n`;
}

test("the switches in the event log are read with their window and session", () => {
  using directory = tempDirectory();
  const path = join(directory.path, "proxy.current.jsonl");
  const full = {
    ...{ account_id: "openai:bob", from: "alice", to: "bob", reason: "usage-limit", req_id: 7 },
    ...{ session: "s1", switch_reason: "sticky-fallback", window: "daily" },
  };
  const plain = { from: "bob", to: "alice", reason: "affinity", switch_reason: "affinity" };
  writeFileSync(path, lineOf(full) + lineOf({ reason: "usage-limit" }, "account.cooldown") + lineOf(plain));
  const atMs = Date.parse(TS);
  expect(loggedSwitches(path)).toEqual([
    { atMs, from: "alice", to: "bob", reason: "usage-limit", window: "short", session: "s1" },
    { atMs, from: "bob", to: "alice", reason: "affinity" },
  ]);
});

test("a switch on another replica has the name of the replica, and the time when the turn moved there", () => {
  using directory = tempDirectory();
  const path = join(directory.path, "proxy.current.jsonl");
  const atMs = Date.parse(TS);
  const moved = { from: "alice", to: "bob", reason: "pinned" };
  const late = { ...moved, account_alias: "bob", replica: "lab", at_ms: atMs - 5_000 };
  writeFileSync(path, lineOf(moved) + lineOf(late));
  expect(loggedSwitches(path)).toEqual([
    { ...moved, atMs: atMs - 5_000, replica: "lab" },
    { ...moved, atMs },
  ]);
});

test("lines that are not switches of this version, and an incomplete line, are skipped", () => {
  using directory = tempDirectory();
  const path = join(directory.path, "proxy.current.jsonl");
  const wanted = { from: "alice", to: "bob", reason: "pinned" };
  const texts = [
    lineOf({ to: "bob", reason: "pinned" }),
    lineOf(wanted).replace(TS, "yesterday"),
    lineOf({ error: '"event":"request.switched"' }, "request.transport_error"),
    lineOf(wanted),
    lineOf(wanted).slice(0, -5),
  ];
  writeFileSync(path, texts.join(""));
  expect(loggedSwitches(path)).toEqual([{ atMs: Date.parse(TS), ...wanted }]);
});

test("a log that does not exist or cannot be read has no switches", () => {
  using directory = tempDirectory();
  const path = join(directory.path, "proxy.current.jsonl");
  expect(loggedSwitches(path)).toEqual([]);
  mkdirSync(path);
  expect(loggedSwitches(path)).toEqual([]);
});
