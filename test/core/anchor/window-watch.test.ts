import { expect, test } from "bun:test";
import { createWindowWatch } from "../../../src/core/anchor/window-watch.ts";
import type { QuotaWindow } from "../../../src/core/quota.ts";

const START_MS = Date.UTC(2026, 0, 5, 7);
const MINUTE_MS = 60_000;
const LENGTH_MS = 5 * 60 * MINUTE_MS;

function window(atMinute: number, resetMinute: number | undefined, usedPercent = 0): QuotaWindow {
  return {
    usedPercent,
    resetAtMs: resetMinute === undefined ? undefined : START_MS + resetMinute * MINUTE_MS + LENGTH_MS,
    windowSeconds: LENGTH_MS / 1000,
    asOfMs: START_MS + atMinute * MINUTE_MS,
    source: "usage_api",
  };
}

/** Whether these figures, in this order, prove that the window has not begun. */
function proves(...figures: (QuotaWindow | undefined)[]): boolean {
  const watch = createWindowWatch();
  for (const figure of figures) watch.see("alice", figure);
  return watch.hasNotBegun("alice");
}

test("a reset that moves with the time proves that the window has not begun", () => {
  expect(proves(window(0, 0), window(10, 10))).toBe(true);
  expect(proves(window(0, 0), window(1, 1))).toBe(true);
  // The backend rounds, and reports 1 % for an unused window.
  expect(proves(window(0, 0, 1), window(10, 10.2, 1))).toBe(true);
});

test("one figure, repeated or not, proves nothing", () => {
  expect(proves()).toBe(false);
  expect(proves(window(0, 0))).toBe(false);
  expect(proves(window(0, 0), window(0, 0), window(0.5, 0.5))).toBe(false);
});

test("a window with a fixed reset has begun, even if nothing of it seems used", () => {
  expect(proves(window(0, 0), window(10, 0))).toBe(false);
  expect(proves(window(0, 0), window(10, 0), window(20, 0))).toBe(false);
});

test("a window that begins between two figures has begun", () => {
  expect(proves(window(0, 0), window(10, 10), window(20, 15))).toBe(false);
});

test("use, an unknown reset, a reset that has passed and a missing window prove that it has begun or may have", () => {
  expect(proves(window(0, 0), window(10, 10, 2))).toBe(false);
  expect(proves(window(0, 0), window(10, undefined))).toBe(false);
  expect(proves(window(0, -400), window(10, -390))).toBe(false);
  expect(proves(window(0, 0), window(10, 10), undefined)).toBe(false);
});

test("older figures than the last ones do not count", () => {
  expect(proves(window(10, 10), window(0, 0))).toBe(false);
});

test("accounts do not affect each other", () => {
  const watch = createWindowWatch();
  watch.see("alice", window(0, 0));
  watch.see("bob", window(10, 10));
  expect([watch.hasNotBegun("alice"), watch.hasNotBegun("bob")]).toEqual([false, false]);
});
