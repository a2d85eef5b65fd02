import { describe, expect, test } from "bun:test";
import { appendFileSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { createAffinity } from "../../src/upstream/affinity.ts";
import { fakeClock } from "../support/clock.ts";
import { tempDirectory } from "../support/temp.ts";

const ownerOf = (affinity: ReturnType<typeof createAffinity>, session: string) =>
  affinity.get(session)?.upstreamId;

test("sessions are remembered up to a limit, and the least recently used is forgotten first", () => {
  const affinity = createAffinity(undefined, 2);
  affinity.bind("a", "x");
  affinity.bind("b", "y");
  expect(ownerOf(affinity, "a")).toBe("x"); // used: now b is the oldest
  affinity.bind("c", "z");
  expect(affinity.get("b")).toBeUndefined();
  expect(ownerOf(affinity, "a")).toBe("x");
});

test("a key of any length is remembered", () => {
  const affinity = createAffinity();
  affinity.bind("x".repeat(5_000), "a");
  expect(ownerOf(affinity, "x".repeat(5_000))).toBe("a");
  expect(affinity.get("x".repeat(5_001))).toBeUndefined();
});

test("the upstreams that a session left are remembered, the latest first, up to a limit", () => {
  const affinity = createAffinity();
  for (const id of ["a", "b", "b", "c", "a", "d", "e", "f"]) affinity.bind("s", id);
  expect(affinity.get("s")).toMatchObject({ upstreamId: "f", earlierIds: ["e", "d", "a", "c"] });
  affinity.drop("d");
  expect(affinity.get("s")?.earlierIds).toEqual(["e", "a", "c"]);
});

test("the keys of notes, files and apps sessions are not listed as sessions", () => {
  const affinity = createAffinity();
  for (const key of ["s", "notes s", "file f", "mcp m"]) affinity.bind(key, "a");
  expect(affinity.sessionsOf("a")).toEqual(["s"]);
  expect(affinity.latest(9).map(({ session }) => session)).toEqual(["s"]);
  expect(affinity.sessionCounts()).toEqual(new Map([["a", 1]]));
  expect(ownerOf(affinity, "notes s")).toBe("a");
});

test("the sessions of a removed upstream are forgotten", () => {
  const affinity = createAffinity();
  affinity.bind("a", "x");
  affinity.bind("b", "y");
  affinity.drop("x");
  expect(affinity.get("a")).toBeUndefined();
  expect(ownerOf(affinity, "b")).toBe("y");
});

describe("after a restart", () => {
  function setup(most?: number) {
    const temp = tempDirectory();
    const path = join(temp.path, "sessions.jsonl");
    const clock = fakeClock();
    const warnings: string[] = [];
    const log = { info: () => {}, warn: (message: string) => void warnings.push(message) };
    return {
      path,
      clock,
      warnings,
      open: () => createAffinity({ path, deps: { clock, log } }, most),
      [Symbol.dispose]: () => temp[Symbol.dispose](),
    };
  }

  test("bindings are known, including whether they are held", () => {
    using s = setup();
    const before = s.open();
    before.bind("a", "x");
    before.bind("b", "x", true);
    before.bind("a", "y");
    before.flush();
    const after = s.open();
    expect(after.get("a")).toEqual({ upstreamId: "y", held: false, earlierIds: ["x"] });
    expect(after.get("b")).toEqual({ upstreamId: "x", held: true });
    expect(statSync(s.path).mode & 0o777).toBe(0o600);
  });

  test("the upstreams that a session left are known even after the file was rewritten", () => {
    using s = setup();
    const before = s.open();
    for (const id of ["x", "y", "z"]) before.bind("a", id);
    before.bind("b", "w");
    before.flush();
    expect(s.open().get("a")).toMatchObject({ upstreamId: "z", earlierIds: ["y", "x"] });
    before.drop("w");
    before.flush();
    expect(readFileSync(s.path, "utf8")).toBe('["a","x"]\n["a","y"]\n["a","z"]\n');
    expect(s.open().get("a")).toMatchObject({ upstreamId: "z", earlierIds: ["y", "x"] });
  });

  test("a binding is on the disk after a quarter of a second, and using a session writes nothing", () => {
    using s = setup();
    const affinity = s.open();
    affinity.bind("a", "x");
    s.clock.advance(250);
    const written = readFileSync(s.path, "utf8");
    affinity.get("a");
    affinity.bind("a", "x");
    s.clock.advance(10_000);
    expect(readFileSync(s.path, "utf8")).toBe(written);
    expect(ownerOf(s.open(), "a")).toBe("x");
  });

  test("an incomplete line and invalid lines affect no other lines", () => {
    using s = setup();
    const before = s.open();
    before.bind("a", "x");
    before.flush();
    appendFileSync(s.path, '{}\n42\n["b","y"]\n["c",');
    const after = s.open();
    expect(ownerOf(after, "a")).toBe("x");
    expect(ownerOf(after, "b")).toBe("y");
    after.bind("d", "z");
    after.flush();
    expect(ownerOf(s.open(), "d")).toBe("z");
    expect(s.warnings).toEqual([]);
  });

  test("the file never has more lines than twice the limit", () => {
    using s = setup(10);
    const affinity = s.open();
    for (let turn = 0; turn < 200; turn++) {
      affinity.bind(`s${turn}`, "x");
      affinity.flush();
    }
    expect(readFileSync(s.path, "utf8").split("\n").length).toBeLessThanOrEqual(21);
    expect(ownerOf(s.open(), "s199")).toBe("x");
    expect(s.open().get("s0")).toBeUndefined();
  });

  test("an unusable file causes one warning, and is written once that is possible", () => {
    using s = setup();
    mkdirSync(s.path);
    const affinity = s.open();
    affinity.bind("a", "x");
    s.clock.advance(10_000);
    expect(ownerOf(affinity, "a")).toBe("x");
    expect(s.warnings.length).toBe(2); // reading it, writing it
    rmSync(s.path, { recursive: true });
    s.clock.advance(2_000);
    expect(ownerOf(s.open(), "a")).toBe("x");
  });
});
