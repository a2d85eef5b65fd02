import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { patched } from "../../scripts/playwright-files.ts";

const bundle = readFileSync(createRequire(import.meta.url).resolve("playwright-core/lib/coreBundle"), "utf8");

/** The reason why `source` cannot be patched, without its four million characters. */
function problemOf(source: string): string {
  try {
    patched(source);
    return "none";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

test("patches every place in playwright-core", () => {
  const after = patched(bundle);
  expect(after.includes('require("../package.json")')).toBe(true);
  expect(after.includes('require("../browsers.json")')).toBe(true);
  expect(/\b__(?:dirname|filename)\b/.test(after)).toBe(false);
});

test("fails the build if a place is missing or occurs twice in another version", () => {
  expect(problemOf(bundle)).toBe("none");
  expect(problemOf(bundle.replaceAll("browsers.json", "other.json"))).toContain(
    "occurs 0 times instead of 1",
  );
  expect(problemOf(bundle + bundle)).toContain("occurs 2 times instead of 1");
});
