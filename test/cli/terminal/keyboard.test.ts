import { expect, test } from "bun:test";
import { keyReader } from "../../../src/cli/terminal/keyboard.ts";

/** The keys in `chunks`, without any waiting. */
function pressed(...chunks: string[]): string[] {
  const keys: string[] = [];
  const reader = keyReader((key) => keys.push(key));
  for (const chunk of chunks) reader.read(chunk);
  reader.stop();
  return keys;
}

test.each([
  [["q"], ["quit"]],
  [["Q"], ["quit"]],
  [["\u0003"], ["interrupt"]],
  [["\u001a"], ["suspend"]],
  [["xyz\r\n"], []],
  [["x\u0003q"], ["interrupt", "quit"]],
  // Arrows, Home, F5, Shift-Tab, Ctrl-Right, and SS3 ones.
  [["\u001b[A", "\u001b[1~", "\u001b[15~", "\u001b[Z", "\u001b[1;5C", "\u001bOP"], []],
  // In pieces, as over a slow connection.
  [["\u001b", "[", "1;", "5C"], []],
  [["\u001b", "[A", "q"], ["quit"]],
  // Alt-q is another key.
  [["\u001bq"], []],
  [["\u001b\u001b"], ["quit"]],
] as const)("%j means %j", (chunks, keys) => {
  expect(pressed(...chunks)).toEqual([...keys]);
});

test("an escape that nothing follows is the Escape key", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  keyReader(resolve).read("\u001b");
  expect(await promise).toBe("quit");
});
