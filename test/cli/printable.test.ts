// How text from other parties is printed.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  oneLine,
  oneLineTexts,
  plainText,
  printable,
  printableJson,
  shortLine,
} from "../../src/printable.ts";
import { HOSTILE, unprintableIn } from "../support/hostile-text.ts";

/** Any UTF-16 text, with many characters that must not reach a terminal. */
const text = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom(...HOSTILE),
      fc.integer({ min: 0xd800, max: 0xdfff }).map((unit) => String.fromCharCode(unit)),
    ),
  )
  .map((parts) => parts.join(""));

describe("text from other parties", () => {
  test.each([
    ["an escape sequence", "a\u001b[2Jb", "a [2Jb"],
    ["a C1 control", "a\u009b2Jb", "a 2Jb"],
    ["DEL", "a\u007fb", "a b"],
    ["line breaks and tabs", "a\r\nb\tc", "a  b c"],
    ["bidi controls", "a\u202eb\u2066c\u200fd\u061ce", "a b c d e"],
    ["zero width", "a\u200bb\ufeffc\u00add", "a b c d"],
    ["tags", "a\u{e0041}b", "a b"],
    ["line separators", "a\u2028b\u2029c", "a b c"],
    ["lone surrogates", "a\ud83db\ude00", "a b "],
    ["whole characters of any script", "größe 名前 😀 العربية", "größe 名前 😀 العربية"],
  ])("on one line: %s", (_what, given, shown) => {
    expect(oneLine(given)).toBe(shown);
  });

  test("on one line contains nothing unprintable", () => {
    fc.assert(fc.property(text, (given) => expect(unprintableIn(oneLine(given))).toEqual([])));
  });

  test("is cut at its limit, never in the middle of a character", () => {
    expect(shortLine("12345", 5)).toBe("12345");
    expect(shortLine("123456", 5)).toBe("12345...");
    expect(shortLine("1234😀", 5)).toBe("1234 ...");
    fc.assert(
      fc.property(text, fc.nat(50), (given, limit) => {
        const shown = shortLine(given, limit);
        expect(unprintableIn(shown)).toEqual([]);
        expect(shown.length).toBeLessThanOrEqual(limit + "...".length);
      }),
    );
  });

  test("in a document is on one line, at any depth", () => {
    const given = { "a\u001bb": ["\u009b", { deep: "x\u202ey" }, 1, null, true] };
    expect(oneLineTexts(given)).toEqual({ "a b": [" ", { deep: "x y" }, 1, null, true] });
  });

  test("in a deeply nested document does not crash the program", () => {
    let nested: unknown = "\u001b";
    for (let depth = 0; depth < 100_000; depth++) nested = [nested];
    expect(oneLineTexts(nested)).toBeArrayOfSize(1);
  });
});

describe("printed text", () => {
  test("keeps line breaks, tabs and the colours of codexlb", () => {
    const own = "\u001b[1mNAME\u001b[22m\tx\n\u001b[31mred\u001b[39m\n";
    expect(printable(own)).toBe(own);
  });

  test.each(["\u001b[31;1m", "\u001b[8m", "\u001b[2J", "\u001b]0;title\u0007", "\u001b[31", "\r"])(
    "contains no other terminal sequence: %j",
    (given) => {
      expect(unprintableIn(printable(given))).toEqual([]);
    },
  );

  test("contains nothing unprintable except colours and line breaks", () => {
    fc.assert(
      fc.property(text, (given) =>
        expect(unprintableIn(Bun.stripANSI(printable(given)), "\n\t")).toEqual([]),
      ),
    );
  });
});

describe("printed JSON", () => {
  test("has the same meaning and contains nothing unprintable", () => {
    const anything = fc.oneof(fc.jsonValue(), text, fc.dictionary(text, text));
    fc.assert(
      fc.property(anything, fc.constantFrom(undefined, 2), (value, indent) => {
        const json = JSON.stringify(value, undefined, indent);
        expect(unprintableIn(printableJson(json), "\n")).toEqual([]);
        expect(JSON.parse(printableJson(json))).toEqual(JSON.parse(json));
      }),
    );
  });

  test("may have any white space between its tokens", () => {
    expect(JSON.parse(printableJson('{\r\n\t"a": 1\r\n}'))).toEqual({ a: 1 });
  });
});

describe("output of a program on another machine", () => {
  const read = (...chunks: string[]) => {
    const words = plainText();
    return chunks.map((chunk) => words.read(chunk)).join("");
  };

  test("is shown without colours and cursor movements", () => {
    expect(read("Go to \u001b[94mhttps://x.test\u001b[0m\r\nand\u001b[2K\u001b[1A wait\n")).toBe(
      "Go to https://x.test\nand wait\n",
    );
  });

  test("is shown the same wherever the chunks end", () => {
    const whole = "one \u001b[1;31mtwo\u001b[0m\r\nthree \u001b(Bfour\n";
    for (let cut = 0; cut <= whole.length; cut++)
      expect(read(whole.slice(0, cut), whole.slice(cut))).toBe("one two\nthree four\n");
  });

  test("cannot hide text behind a sequence that does not end", () => {
    expect(read(`a\u001b[${"1;".repeat(200)}`, "secret")).toContain("secret");
  });

  test("contains nothing unprintable, wherever the chunks end", () => {
    fc.assert(
      fc.property(fc.array(text), (chunks) => expect(unprintableIn(read(...chunks), "\n\t")).toEqual([])),
    );
  });
});
