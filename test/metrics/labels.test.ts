import { expect, test } from "bun:test";
import { nameLabel, reasonLabel } from "../../src/metrics/labels.ts";

test("only known reasons become labels", () => {
  expect(["usage-limit", "http-429", "refresh-token-reused", "pinned", "draining"].map(reasonLabel)).toEqual([
    "usage-limit",
    "http-429",
    "refresh-token-reused",
    "pinned",
    "draining",
  ]);
  expect(
    ["http-418", "http-599", "http-700", "an upstream's own code", "", undefined].map(reasonLabel),
  ).toEqual(["http-4xx", "http-5xx", "other", "other", "", ""]);
});

test("a name that looks like an e-mail address is hidden, and stays distinct", () => {
  expect(nameLabel("alice-2")).toBe("alice-2");
  const [one, other] = [nameLabel("alice@example.com"), nameLabel("anna@example.com")];
  expect(one).toMatch(/^a\*\*\*-[0-9a-f]{8}$/);
  expect(other).not.toBe(one);
});
