import { expect, test } from "bun:test";
import { type Key, keyReader } from "../../../src/cli/terminal/keyboard.ts";

/** The keys in `chunks`, without any waiting. Typed characters appear as they are. */
function pressed(...chunks: string[]): string[] {
  const keys: Key[] = [];
  const reader = keyReader((key) => keys.push(key));
  for (const chunk of chunks) reader.read(chunk);
  reader.stop();
  return keys.map((key) => (typeof key === "string" ? `<${key}>` : key.typed));
}

test.each([
  [["q"], ["q"]],
  [["Q/"], ["Q", "/"]],
  [["é会😀"], ["é", "会", "😀"]],
  [["\u0003"], ["<interrupt>"]],
  [["\u001a"], ["<suspend>"]],
  [["xy\r"], ["x", "y", "<enter>"]],
  [["x\u0003q"], ["x", "<interrupt>", "q"]],
  [["\u007f\u0008\u0015"], ["<backspace>", "<backspace>", "<erase-all>"]],
  // Other control characters.
  [["\u0000\u0001\t\n\u009b"], []],
  [["\u001b[A\u001b[B\u001bOA\u001bOB"], ["<up>", "<down>", "<up>", "<down>"]],
  [["\u001b[H\u001b[1~\u001b[7~\u001bOH"], ["<home>", "<home>", "<home>", "<home>"]],
  [["\u001b[F\u001b[4~\u001b[8~\u001bOF"], ["<end>", "<end>", "<end>", "<end>"]],
  [["\u001b[5~\u001b[6~"], ["<page-up>", "<page-down>"]],
  // F5, Shift-Tab, Ctrl-Right, F1.
  [["\u001b[15~", "\u001b[Z", "\u001b[1;5C", "\u001bOP"], []],
  // In pieces, as over a slow connection.
  [["\u001b", "[", "1;", "5C"], []],
  [
    ["\u001b", "[A", "q"],
    ["<up>", "q"],
  ],
  // Alt-q is another key.
  [["\u001bq"], []],
  [["\u001b\u001b"], ["<escape>"]],
] as const)("%j means %j", (chunks, keys) => {
  expect(pressed(...chunks)).toEqual([...keys]);
});

test("an escape that nothing follows is the Escape key", async () => {
  const { promise, resolve } = Promise.withResolvers<Key>();
  keyReader(resolve).read("\u001b");
  expect(await promise).toBe("escape");
});
