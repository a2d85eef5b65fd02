// All messages of the committed snapshots, as a terminal shows them: no line is wider than the terminal, except one that
// has only text to be copied.

import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { wrappedLines } from "../../src/wrapped-lines.ts";
import { runCli } from "../support/cli.ts";
import { tempDirectory } from "../support/temp.ts";

const SNAPSHOTS = ["message-snapshots", "snapshots"];
/** One word, or a command line, perhaps followed by punctuation. */
const COPIED = /^(?:\S+|(?:[A-Z_]+=\S+ )*(?:codexlb|codex|npm|make|loginctl|systemctl) .*)$/;

interface Message {
  readonly first: string;
  readonly text: string;
}

/** The errors, warnings and notes with their next steps in the committed texts. */
async function messagesIn(name: string): Promise<Message[]> {
  const snapshots: Record<string, string> = {};
  const file = Bun.file(join(import.meta.dir, "__snapshots__", `${name}.test.ts.snap`));
  new Function("exports", await file.text())(snapshots);
  return Object.values(snapshots).flatMap((shown) =>
    [...shown.matchAll(/^"?(codexlb: )(.+)\n((?: {2}\S.*\n)?)/gm)].flatMap(
      ([, first = "", text = "", next = ""]) => [
        { first, text },
        ...(next === "" ? [] : [{ first: "  ", text: next.trim() }]),
      ],
    ),
  );
}

let messages: readonly Message[];
beforeAll(async () => {
  messages = (await Promise.all(SNAPSHOTS.map(messagesIn))).flat();
});

describe.each([60, 80, 100])("on %i columns", (columns) => {
  test("no line of a message is wider, except one to be copied", () => {
    expect(messages.length).toBeGreaterThan(150);
    const wider = messages
      .flatMap(({ first, text }) => wrappedLines(text, { columns, first }))
      .filter((line) => Bun.stringWidth(line) > columns && !COPIED.test(line));
    expect(wider).toEqual([]);
  });

  test("no word of a message is broken or lost", () => {
    for (const { first, text } of messages) {
      const lines = wrappedLines(text, { columns, first });
      expect(lines.map((line) => line.replace(first, "").trim()).join(" ")).toBe(text.trim());
    }
  });
});

describe("a message", () => {
  const words = ["account", "show", "alice"];
  const long = "a-root-with-a-rather-long-name/too-long-to-be-typed-twice";

  test("is wrapped on a terminal, with the command for the next step on a line of its own", async () => {
    using temp = tempDirectory();
    const { code, out } = await runCli([...words, "--proxy-url", "http://127.0.0.1:1", "--root", long], {
      cwd: temp.path,
      terminal: 60,
    });
    const root = join(temp.path, long);
    expect({ code, out }).toEqual({
      code: 1,
      out: `\
codexlb: contacting the proxy at http://127.0.0.1:1:
         connection refused
  start it with:
codexlb proxy start --root ${root} --listen 127.0.0.1:1
`,
    });
  });

  test("is one line in a pipe, whatever COLUMNS is", async () => {
    using temp = tempDirectory();
    const { code, err } = await runCli([...words, "--root", long], {
      cwd: temp.path,
      env: { COLUMNS: "30" },
    });
    const root = join(temp.path, long);
    expect({ code, err }).toEqual({
      code: 1,
      err: `\
codexlb: warning: the root ${root} does not exist
codexlb: account not found: alice
  check --root and CODEXLB_ROOT (default: ~/.codex-lb), or run: codexlb account login --root ${root} ALIAS, or: codexlb account import --root ${root}
`,
    });
  });
});
