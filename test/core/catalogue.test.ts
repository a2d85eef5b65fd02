import { describe, expect, test } from "bun:test";
import { type Catalogue, readCatalogue, unionOfCatalogues } from "../../src/core/catalogue.ts";

function catalogue(text: string): Catalogue {
  const read = readCatalogue(text);
  if (read === undefined) throw new Error(`not a catalogue: ${text}`);
  return read;
}

describe("a catalogue", () => {
  test("keeps its entries unchanged", () => {
    const text = '{ "etag": null,\n "models": [ {"slug":"a", "x": 1.50}, {"y": "\\u0041", "slug":"b"}, 7 ] }';
    expect(catalogue(text).entries).toEqual([
      { slug: "a", text: '{"slug":"a", "x": 1.50}' },
      { slug: "b", text: '{"y": "\\u0041", "slug":"b"}' },
      { slug: undefined, text: "7" },
    ]);
    expect([...catalogue(text).slugs]).toEqual(["a", "b"]);
  });

  test("is refused unless it is a bounded JSON object with a list of models", () => {
    for (const text of [
      "",
      "<html>",
      "[]",
      "null",
      '{"models":{}}',
      '{"data":[]}',
      '{"models":[{"slug":"a"}',
      `{"models":[${"[".repeat(100)}${"]".repeat(100)}]}`,
      `{"models":["${"x".repeat(4 * 1024 * 1024)}"]}`,
    ])
      expect(readCatalogue(text)).toBeUndefined();
  });
});

describe("the union of catalogues", () => {
  const first = '{"models":[{"slug":"a","of":1},{"slug":"b","of":1}],"more":1}';

  test("is the first document, byte for byte, if the others add nothing", () => {
    const spaced = first.replace("[", "[ ");
    expect(unionOfCatalogues([catalogue(spaced), catalogue('{"models":[{"slug":"b","of":2}]}')])).toBe(
      spaced,
    );
  });

  test("appends models that only later catalogues list, and takes each entry from the first that lists it", () => {
    const second = catalogue('{"models":[{"slug":"c","of":2},{"slug":"a","of":2},{"of":2}],"more":2}');
    const third = catalogue('{"models":[{"slug":"d","of":3},{"slug":"c","of":3}]}');
    expect(unionOfCatalogues([catalogue(first), second, third])).toBe(
      '{"models":[{"slug":"a","of":1},{"slug":"b","of":1},{"slug":"c","of":2},{"slug":"d","of":3}],"more":1}',
    );
  });

  test("of an empty catalogue and another equals the other", () => {
    expect(unionOfCatalogues([catalogue('{"models":[]}'), catalogue('{"models":[{"slug":"a"}]}')])).toBe(
      '{"models":[{"slug":"a"}]}',
    );
  });
});
