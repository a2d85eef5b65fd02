import { describe, expect, test } from "bun:test";
import { baseUrlsIn, withBaseUrls, withoutBaseUrls } from "../../src/codex/base-urls.ts";

const URLS = { openai_base_url: "http://127.0.0.1:1/codex", chatgpt_base_url: "http://localhost:1/api/" };
const OPENAI = 'openai_base_url = "http://127.0.0.1:1/codex" # by codexlb setup';
const CHATGPT = 'chatgpt_base_url = "http://localhost:1/api/" # by codexlb setup';

const TEXTS: readonly [what: string, before: string, after: string][] = [
  ["an empty file", "", `${OPENAI}\n${CHATGPT}\n`],
  ["keys", "# mine\nmodel = 'm' # why\n", `# mine\nmodel = 'm' # why\n${OPENAI}\n${CHATGPT}\n`],
  ["a file without a last line break", "model = 'm'", `model = 'm'\n${OPENAI}\n${CHATGPT}`],
  [
    "keys and tables",
    "model = 'm'\n\n# about\n[tui]\ntheme = 'x'\n",
    `model = 'm'\n${OPENAI}\n${CHATGPT}\n\n# about\n[tui]\ntheme = 'x'\n`,
  ],
  ["tables alone", "[a]\nopenai_base_url = 'x'\n", `${OPENAI}\n${CHATGPT}\n[a]\nopenai_base_url = 'x'\n`],
  ["line breaks of Windows", "model = 'm'\r\n[a]\r\n", `model = 'm'\r\n${OPENAI}\r\n${CHATGPT}\r\n[a]\r\n`],
  ["a byte order mark", "\uFEFF[a]\n", `\uFEFF${OPENAI}\n${CHATGPT}\n[a]\n`],
  [
    "a value of many lines",
    'notify = [\n  "a", # x\n]\n',
    `notify = [\n  "a", # x\n]\n${OPENAI}\n${CHATGPT}\n`,
  ],
  [
    "another value",
    "openai_base_url = 'https://old/v1' # mine\nmodel = 'm'\n",
    `openai_base_url = "http://127.0.0.1:1/codex" # mine\nmodel = 'm'\n${CHATGPT}\n`,
  ],
];

describe("the base URLs in a config.toml", () => {
  test.each(TEXTS)("can be added to %s and removed again", (_what, before, after) => {
    const edit = withBaseUrls(before, URLS);
    expect(edit?.text).toBe(after);
    expect(baseUrlsIn(after)).toEqual(URLS);
    const undone = withoutBaseUrls(after, URLS, edit?.former ?? {});
    // After an edit in between only a line break at the end may differ.
    expect(undone).toEqual({
      text: before === "" || before.endsWith("\n") ? before : `${before}\n`,
      kept: [],
    });
  });

  test("are removed without touching later edits, and stay if they were changed", () => {
    const edited = `x = 1\n${OPENAI}\ny = 2\nchatgpt_base_url = "https://mine/"\n[t]\n`;
    expect(withoutBaseUrls(edited, URLS, {})).toEqual({
      text: 'x = 1\ny = 2\nchatgpt_base_url = "https://mine/"\n[t]\n',
      kept: ["chatgpt_base_url"],
    });
    expect(withoutBaseUrls("model = 'm'\n", URLS, { openai_base_url: "'old'" })).toEqual({
      text: "model = 'm'\n",
      kept: [],
    });
  });

  test("are not added to invalid TOML", () => {
    expect(() => withBaseUrls("[half", URLS)).toThrow();
  });
});
