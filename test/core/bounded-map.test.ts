import { describe, expect, test } from "bun:test";
import { BoundedMap, remembered } from "../../src/core/bounded-map.ts";

describe("a bounded map", () => {
  test("drops the entry that was set longest ago", () => {
    const map = new BoundedMap<string, number>(2);
    map.set("a", 1).set("b", 2).set("a", 3).set("c", 4);
    expect([...map]).toEqual([
      ["a", 3],
      ["c", 4],
    ]);
  });
});

describe("a function that remembers", () => {
  test("computes a result once, undefined included", () => {
    const asked: string[] = [];
    const half = remembered(10, (text) => {
      asked.push(text);
      return text === "odd" ? undefined : text.length / 2;
    });
    expect([half("even"), half("even"), half("odd"), half("odd")]).toEqual([2, 2, undefined, undefined]);
    expect(asked).toEqual(["even", "odd"]);
  });

  test("remembers no long texts, and only a limited number", () => {
    let asked = 0;
    const long = remembered(1, () => ++asked);
    const text = "x".repeat(1_000);
    expect([long(text), long(text)]).toEqual([1, 2]);
    expect([long("a"), long("b"), long("a")]).toEqual([3, 4, 5]);
  });
});
