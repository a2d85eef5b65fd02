import { describe, expect, test } from "bun:test";
import { createSealer, markOf } from "../../src/cluster/sealing.ts";

const random = (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes));
const sealer = (fill = 1, pool = "team") => createSealer(new Uint8Array(32).fill(fill), pool, random);
const fact = { name: "login/alice@example.com", value: '{"refresh_token":"secret"}' };

describe("a sealed fact", () => {
  const tag = sealer().tagOf(fact.name);
  const sealed = sealer().seal(fact, 7);

  test("opens again under the same key, pool, name and generation", () => {
    expect(sealer().open(tag, 7, sealed)).toEqual({ kind: "fact", fact });
  });

  test("shows neither its name nor its value, and differs each time", () => {
    for (const text of [tag, sealed, Buffer.from(sealed.slice(2), "base64").toString("latin1")])
      for (const secret of ["alice", "example.com", "secret", "refresh"]) expect(text).not.toContain(secret);
    expect(sealer().seal(fact, 7)).not.toBe(sealed);
  });

  const changed = Buffer.from(sealed.slice(2), "base64");
  changed[20] = (changed[20] ?? 0) ^ 1;
  test.each([
    ["another key", sealer(2), tag, 7, sealed],
    ["another pool", sealer(1, "other"), tag, 7, sealed],
    ["another name", sealer(), sealer().tagOf("login/bob"), 7, sealed],
    ["another generation", sealer(), tag, 8, sealed],
    ["a changed byte", sealer(), tag, 7, `1.${changed.toString("base64")}`],
    ["a text that is too short", sealer(), tag, 7, "1.AAAA"],
    ["any other text", sealer(), tag, 7, "hello"],
  ])("does not open with %s", (_why, by, name, generation, text) => {
    expect(by.open(name, generation, text)).toEqual({ kind: "foreign" });
  });

  test("of a later version is recognized as such", () => {
    expect(sealer().open(tag, 7, "2.AAAA")).toEqual({ kind: "newer" });
  });

  test("of a removed account has no value", () => {
    const removed = { name: fact.name, value: null };
    expect(sealer().open(tag, 8, sealer().seal(removed, 8))).toEqual({ kind: "fact", fact: removed });
  });
});

test("the name of the replica that made a change is kept, short and on one line", () => {
  const tag = sealer().tagOf(fact.name);
  const openedWith = (by: unknown) => {
    const opened = sealer().open(tag, 7, sealer().seal({ ...fact, by: by as string }, 7));
    return opened.kind === "fact" ? opened.fact.by : opened.kind;
  };
  expect(openedWith("office")).toBe("office");
  expect(openedWith("a\u001b[2J\nb")).toBe("a [2J b");
  expect(openedWith("x".repeat(1_000))).toBe(`${"x".repeat(64)}...`);
  for (const other of [undefined, 7, { name: "office" }, null]) expect(openedWith(other)).toBeUndefined();
});

test("names and the id of the key depend on the key and the pool, marks do not", () => {
  const all = [sealer(), sealer(2), sealer(1, "other")];
  expect(new Set(all.map((one) => one.tagOf("pin"))).size).toBe(3);
  expect(new Set(all.map(({ keyId }) => keyId)).size).toBe(3);
  expect(sealer().tagOf("pin")).toBe(sealer().tagOf("pin"));
  expect(markOf("x")).toBe(markOf("x"));
  expect(markOf("x")).not.toBe(markOf("y"));
});
