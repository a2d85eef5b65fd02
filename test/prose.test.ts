// The words that this project does not use, in its pages, its sources and its tests: they read as translated, or name
// something that has another name here.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";

const ROOT = join(import.meta.dir, "..");

/** What is checked: everything that a person reads here, except what others wrote. */
const FILES = [
  "*.md",
  "docs/**/*.md",
  "{src,test,scripts,packaging}/**/*.{ts,tsx,css,mjs,md,sh}",
  "install.sh",
  "Makefile",
] as const;

interface Banned {
  readonly words: RegExp;
  readonly instead: string;
}

const BANNED: readonly Banned[] = [
  { words: /\btold\b|\btells? of\b|\bis tell/i, instead: "report, warn, print, return, send, log" },
  { words: /\b(?:no|some|any)body\b|\bwhoever\b/i, instead: "name the client, the user, the proxy" },
  { words: /\banew\b/i, instead: "again" },
  { words: /\bmerely\b/i, instead: "only" },
  { words: /\bas far as\b/i, instead: "say which part" },
  { words: /\bgo(?:es|ing)? on\b|\bwent on\b/i, instead: "continue" },
  { words: /\bgone around\b|\bgoes around\b/i, instead: "is skipped, is bypassed" },
  {
    words: /\b(?:rests|rested|resting)\b|\b(?:a|at|its|in spite of (?:a|its)) rest\b/i,
    instead: "cooling down",
  },
  { words: /\bused up\b/i, instead: "exhausted" },
  { words: /\bbesides\b/i, instead: "in addition to, other than" },
  { words: /\bin spite of\b/i, instead: "although, despite" },
  { words: /\bnothing listens\b|\bno way to (?:it|the)\b/i, instead: "connection refused, no route to host" },
];

interface Allowed {
  readonly file: string;
  /** A part of the line. */
  readonly line: string;
  readonly because: string;
}

const JSON_VALUE = "the value is in JSON that other versions read";
const UNIX_USER = "the name of a Unix user";
const PROMPT = "a prompt for a model";

const ALLOWED: readonly Allowed[] = [
  { file: "src/core/availability.ts", line: "resting", because: JSON_VALUE },
  { file: "src/core/run-tag.ts", line: '"resting"', because: JSON_VALUE },
  { file: "src/cli/run/tagged-run.ts", line: "resting", because: JSON_VALUE },
  { file: "src/core/explanation-words.ts", line: "resting: [", because: JSON_VALUE },
  { file: "test/cli/status/explanation-frame.test.ts", line: '"resting"', because: JSON_VALUE },
  { file: "test/core/availability.test.ts", line: "cooling 6 resting resting", because: JSON_VALUE },
  { file: "test/core/explain.test.ts", line: "resting: cooling down after", because: JSON_VALUE },
  { file: "test/cli/message-snapshots.test.ts", line: "--user nobody", because: UNIX_USER },
  { file: "test/service/paths.test.ts", line: "nobody", because: UNIX_USER },
  { file: "test/real/codex.test.ts", line: '"go on"', because: PROMPT },
  { file: "test/real/newest.test.ts", line: '"go on"', because: PROMPT },
];

const files = [...new Set(FILES.flatMap((pattern) => [...new Glob(pattern).scanSync({ cwd: ROOT })]))]
  .filter((file) => file !== "test/prose.test.ts" && !file.includes("node_modules/"))
  .sort();

const lines = files.flatMap((file) =>
  readFileSync(join(ROOT, file), "utf8")
    .split("\n")
    .map((text, index) => ({ file, text, place: `${file}:${index + 1}` })),
);

const isAllowed = (file: string, text: string): boolean =>
  ALLOWED.some((one) => one.file === file && text.includes(one.line));

describe("plain English", () => {
  test("is checked in pages, sources and tests", () => {
    expect(files).toContain("README.md");
    expect(files).toContain("src/main.ts");
    expect(lines.length).toBeGreaterThan(50_000);
  });

  for (const { words, instead } of BANNED)
    test(`has another word for ${words.source}: ${instead}`, () => {
      const found = lines.filter(({ file, text }) => words.test(text) && !isAllowed(file, text));
      expect(found.map(({ place, text }) => `${place}: ${text.trim()}`)).toEqual([]);
    });

  test("has no exception that is not needed", () => {
    const needed = (one: Allowed) =>
      lines.some(
        ({ file, text }) =>
          file === one.file && text.includes(one.line) && BANNED.some(({ words }) => words.test(text)),
      );
    expect(ALLOWED.filter((one) => !needed(one))).toEqual([]);
  });
});
