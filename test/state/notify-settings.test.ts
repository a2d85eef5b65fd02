// The settings of [notify].

import { describe, expect, test } from "bun:test";
import { parseConfig } from "../../src/state/config.ts";
import { maskedWebhook } from "../../src/state/notify-settings.ts";

const parse = (text: string) => parseConfig(`[notify]\n${text}`, "/r/config.toml").config.notify;
const problem = (text: string): string => {
  try {
    parse(text);
    return "";
  } catch (error) {
    return String(error);
  }
};

describe("a webhook", () => {
  test.each([
    ["https://hooks.example.com/x?y=z", true],
    ["http://127.0.0.1:9000/x", true],
    ["http://localhost/x", true],
    ["http://[::1]:80/x", true],
    ["http://10.1.2.3/x", true],
    ["http://ntfy.lan/x", true],
    ["http://ntfy/x", true],
    ["http://hooks.example.com/s3cret", false],
    ["http://8.8.8.8/s3cret", false],
    ["ftp://10.1.2.3/s3cret", false],
    ["s3cret", false],
  ])("%s is accepted: %p", (url, isAccepted) => {
    const why = problem(`webhook = "${url}"`);
    expect(why === "").toBe(isAccepted);
    expect(why).not.toContain("s3cret");
    if (!isAccepted) expect(why).toContain("line 2: notify.webhook: must be an https URL");
  });

  test.each([
    [
      "https://u:s3cret@hooks.example.com:8443/s3cret?s3cret#s3cret",
      "https://hooks.example.com:8443/[redacted]",
    ],
    ["s3cret", "[redacted]"],
    ["", ""],
    [7, ""],
  ])("%p is shown as %p", (value, shown) => {
    expect(maskedWebhook(value)).toBe(shown);
  });
});

test("events are checked by name", () => {
  expect(parse('events = ["account_back", "pool_low"]').events).toEqual(["account_back", "pool_low"]);
  expect(problem('events = ["acount_back"]')).toContain(
    '"acount_back" is not an event; allowed: account_exhausted, account_back,',
  );
});

test("the pool is low below 20 percent by default, and never with 0", () => {
  expect([parse("").pool_below, parse("pool_below = 0").pool_below]).toEqual([20, 0]);
  expect(problem("pool_below = 101")).toContain("must be at most 100");
});
