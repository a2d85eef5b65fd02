// Text for a terminal is wrapped at spaces, and text to be copied stays in one piece.

import { describe, expect, test } from "bun:test";
import { ADVISED_COMMANDS } from "../src/advice.ts";
import { wrappedLines } from "../src/wrapped-lines.ts";

const widest = (lines: readonly string[]) => Math.max(...lines.map((line) => Bun.stringWidth(line)));

const REFUSED =
  "account alice cannot be pinned, because neither this proxy nor one of its child proxies has an account of that name";

describe("a message", () => {
  test("that fits is one line, with its own spaces", () => {
    expect(wrappedLines("  ready   to go ", { columns: 20 })).toEqual(["  ready   to go "]);
    expect(wrappedLines("", { columns: 20, first: "codexlb: " })).toEqual(["codexlb: "]);
  });

  test("keeps its first spaces if it is coloured and does not fit", () => {
    const coloured = "\u001b[32m 93%\u001b[39m left, resets 12-06 05:41";
    const lines = wrappedLines(coloured, { columns: 20, first: "  weekly " }).map(Bun.stripANSI);
    expect(lines[0]).toBe("  weekly  93% left,");
  });

  test("that does not fit continues below its text", () => {
    expect(wrappedLines(REFUSED, { columns: 80, first: "codexlb: " })).toEqual([
      "codexlb: account alice cannot be pinned, because neither this proxy nor one of",
      "         its child proxies has an account of that name",
    ]);
    expect(wrappedLines(REFUSED, { columns: 40, first: "codexlb: " })).toEqual([
      "codexlb: account alice cannot be pinned,",
      "         because neither this proxy nor",
      "         one of its child proxies has an",
      "         account of that name",
    ]);
  });

  test.each([30, 40, 60, 80, 100, 160])("is not wider than %i columns, and loses no word", (columns) => {
    for (const first of ["", "  ", "codexlb: "]) {
      const lines = wrappedLines(REFUSED, { columns, first });
      expect(widest(lines)).toBeLessThanOrEqual(columns);
      expect(lines.map((line) => line.slice(first.length)).join(" ")).toBe(REFUSED);
    }
  });

  test("has at least 12 columns, however narrow the terminal is", () => {
    expect(wrappedLines("one two three four five six", { columns: 10, first: "codexlb: " })).toEqual([
      "codexlb: one two",
      "         three four",
      "         five six",
    ]);
  });

  test("keeps its leading spaces, and indents all its lines by them", () => {
    expect(wrappedLines("  7% left, resets Tue 03:04", { columns: 30, first: "Weekly limit  " })).toEqual([
      "Weekly limit    7% left,",
      "                resets Tue",
      "                03:04",
    ]);
  });

  test("keeps its colours on every line", () => {
    const lines = wrappedLines("\u001b[31mno account is available now\u001b[39m; try again later", {
      columns: 24,
      first: "\u001b[2m10:04\u001b[22m ",
    });
    expect(lines).toEqual([
      "\u001b[2m10:04\u001b[22m \u001b[31mno account is\u001b[39m",
      "      \u001b[31mavailable now\u001b[39m; try",
      "      again later",
    ]);
  });

  test("with wide characters counts them as two columns", () => {
    expect(wrappedLines("会話 会話 会話 会話 会話 会話", { columns: 20, first: "日本 " })).toEqual([
      "日本 会話 会話 会話",
      "     会話 会話 会話",
    ]);
    expect(widest(wrappedLines("会話 ".repeat(20), { columns: 33, first: "- " }))).toBe(31);
  });
});

describe("a command in a message", () => {
  test("moves to the next line as a whole", () => {
    expect(
      wrappedLines("there are no accounts yet; add one with: codexlb account login --root /srv/lb ALIAS", {
        columns: 60,
        first: "codexlb: ",
      }),
    ).toEqual([
      "codexlb: there are no accounts yet; add one with:",
      "         codexlb account login --root /srv/lb ALIAS",
    ]);
  });

  test("that does not fit begins at the left edge, and the terminal wraps it", () => {
    const command = "codexlb account import --root '/srv/state of; codexlb' --from /home/me/.codex alice";
    expect(wrappedLines(`run: ${command}, or: codexlb init`, { columns: 60, first: "  " })).toEqual([
      "  run:",
      `${command},`,
      "  or: codexlb init",
    ]);
  });

  test.each([
    ["at its start", "codexlb account enable --root /srv alice", " (ends it now)"],
    ["with variables", "CODEXLB_PROXY_URL=http://h:1 codexlb run", ""],
    ["of another program", "systemctl --user restart codexlb.service", "; then try again"],
    ["with quoted words", `codexlb key add --models "gpt-6*, o3" guest`, ", and send the key"],
  ])("%s has all its words on one line", (where, command, rest) => {
    const start = where === "at its start" ? "" : "to change that, run this: ";
    for (const columns of [30, 50, 60, 80]) {
      const lines = wrappedLines(`${start}${command}${rest}`, { columns });
      expect([columns, lines.some((line) => line.includes(command))]).toEqual([columns, true]);
    }
  });

  test("of codexlb stays whole in the middle of a sentence, with its flags", () => {
    for (const name of Object.keys(ADVISED_COMMANDS)) {
      const command = `codexlb ${name} --root /srv/a --to=b NAME`;
      const text = `first look at the state of the accounts with ${command} and then decide`;
      for (const columns of [30, 60, 80])
        expect(wrappedLines(text, { columns }).filter((line) => line.includes(command))).toHaveLength(1);
    }
  });

  test("ends before the rest of the sentence", () => {
    expect(
      wrappedLines('warning: codexlb account list ignores the argument "extra"', { columns: 40 }),
    ).toEqual(["warning: codexlb account list ignores", 'the argument "extra"']);
    expect(
      wrappedLines('the argument "extra" means nothing to codexlb account list here', { columns: 46 }),
    ).toEqual(['the argument "extra" means nothing to', "codexlb account list here"]);
  });
});

test.each([
  "7 days",
  "12 min",
  "5 h",
  "30 s",
  "500 ms",
  "2.5 %",
  "20.00 USD",
  "64 MiB",
  "1 turn",
  "1,200 accounts",
  "2 reset credits",
])("%s stays on one line, in colour too", (figure) => {
  const text = `the account alice of this proxy has a window that is reset in ${figure}, and then serves again`;
  for (let columns = 30; columns <= 90; columns++)
    for (const one of [text, text.replace(figure, `\u001b[31m${figure}\u001b[39m`)]) {
      const lines = wrappedLines(one, { columns }).map(Bun.stripANSI);
      expect([columns, lines.some((line) => line.includes(figure))]).toEqual([columns, true]);
      expect(lines.join(" ")).toBe(text);
      expect(widest(lines)).toBeLessThanOrEqual(columns);
    }
});

test("a figure that is wider than a cell is wrapped in it", () => {
  expect(wrappedLines("2 reset credits", { columns: 8, strict: true })).toEqual(["2 reset", "credits"]);
});

test("a header, a setting and text in backquotes stay in one piece", () => {
  expect(wrappedLines("install it with `npm install -g @openai/codex` first", { columns: 40 })).toEqual([
    "install it with",
    "`npm install -g @openai/codex` first",
  ]);
  expect(wrappedLines("send the key as Authorization: Bearer KEY with it", { columns: 38 })).toEqual([
    "send the key as",
    "Authorization: Bearer KEY with it",
  ]);
  expect(wrappedLines('set proxy.listen = "0.0.0.0:8765" below', { columns: 32 })).toEqual([
    "set",
    'proxy.listen = "0.0.0.0:8765"',
    "below",
  ]);
});

test.each([
  "https://github.com/gngeorgiev/codexlb/blob/main/docs/login.md#share-no-login",
  "/srv/state/codexlb/accounts/alice/a-long-name/auth.json",
])("%s stays in one piece, on a line of its own without room beside the text", (word) => {
  expect(
    wrappedLines(`the reason is described in ${word} and elsewhere`, { columns: 40, first: "  " }),
  ).toEqual(["  the reason is described in", word, "  and elsewhere"]);
});

describe("on a screen", () => {
  test("no line is wider: a long word is broken, and a command at its spaces", () => {
    const lines = wrappedLines(`see ${"x".repeat(30)}, or: codexlb account login --root /srv/lb alice`, {
      columns: 24,
      first: "  ",
      strict: true,
    });
    expect(lines).toEqual([
      `  see ${"x".repeat(18)}`,
      `  ${"x".repeat(12)}, or:`,
      "  codexlb account login",
      "  --root /srv/lb alice",
    ]);
  });

  test("a command that fits into a line stays whole", () => {
    expect(
      wrappedLines("login expired; run: codexlb account login erin", { columns: 30, strict: true }),
    ).toEqual(["login expired; run:", "codexlb account login erin"]);
  });
});
