import { describe, expect, test } from "bun:test";
import {
  formatHops,
  type Hop,
  loopProblem,
  nameForHeader,
  nameFromHeader,
  parseAttempts,
  parseHops,
} from "../../src/core/hops.ts";

const hop = (name: string, id = name): Hop => ({ name, id });

describe("the hops of a request", () => {
  test("are written and read, whatever the names", () => {
    const hops = [hop("edge a", "1f"), hop("ü, ~%", "2e"), hop("", "3d")];
    expect(parseHops(formatHops(hops))).toEqual(hops);
  });

  test.each([null, "", "nonsense", "a~", "a~b c", `a~${"x".repeat(65)}`, ",,,"])(
    "are none in %p",
    (header) => {
      expect(parseHops(header)).toEqual([]);
    },
  );

  test("that cannot be read are skipped, the others are not", () => {
    expect(parseHops("a~1, what, %zz~2")).toEqual([hop("a", "1"), hop("%zz", "2")]);
  });

  test("form a circle if they come back, which is named from its start", () => {
    const own = hop("b");
    expect(loopProblem([hop("a"), own, hop("c")], own)).toEndWith(": b -> c -> b");
    expect(loopProblem([own], own)).toEndWith(": b -> b");
    expect(loopProblem([hop("a"), hop("c")], own)).toBeUndefined();
    // Two proxies with the same name are different proxies.
    expect(loopProblem([hop("b", "another")], own)).toBeUndefined();
  });

  test("are bounded", () => {
    const many = Array.from({ length: 32 }, (_, index) => hop(`p${index}`));
    expect(loopProblem(many, hop("x"))).toBe("the request has passed 32 proxies; the limit is 32");
    expect(loopProblem(many.slice(1), hop("x"))).toBeUndefined();
  });
});

test("a count of attempts is a whole number, or nothing", () => {
  expect(["3", " 2 ", "0", "", "-1", "1.5", "99999", null, undefined].map(parseAttempts)).toEqual([
    3,
    2,
    0,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

test.each(["edge-a", "büro 2", "東京", "100%", "%41", ""])("the name %p survives a header", (name) => {
  const headers = new Headers({ name: nameForHeader(name) });
  expect(nameFromHeader(headers.get("name") ?? "")).toBe(name);
});
