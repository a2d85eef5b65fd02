// Tests how the turns of a tunnel notice its end.

import { expect, test } from "bun:test";
import { createClosing } from "../../src/proxy/ws/closing.ts";

test("a closing tunnel calls the listeners that are left, and aborts its signal", () => {
  const closing = createClosing();
  const called: string[] = [];
  const unlisten = closing.listen(() => {
    called.push("first");
    unlisten();
  });
  closing.listen(() => called.push("second"));
  closing.listen(() => called.push("removed"))();
  const signal = closing.signal();
  expect([closing.isClosed, signal.aborted]).toEqual([false, false]);
  closing.close();
  expect(called).toEqual(["first", "second"]);
  expect([closing.isClosed, signal.aborted]).toEqual([true, true]);
});

test("the signal of a closed tunnel is aborted", () => {
  const closing = createClosing();
  closing.close();
  expect(closing.signal().aborted).toBe(true);
});
