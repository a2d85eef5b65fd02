import { describe, expect, test } from "bun:test";
import { failureOfEvent, failureOfReply, retryAfterMs } from "../../src/core/failure.ts";
import { isMissing, judge, judgeChild, type Scope, type Verdict } from "../../src/core/verdict.ts";

const NOW = Date.UTC(2026, 0, 1);
const reply = (status: number, body: unknown = "", headers: Record<string, string> = {}) =>
  failureOfReply(status, new Headers(headers), typeof body === "string" ? body : JSON.stringify(body), NOW);
const error = (code: string, more: Record<string, unknown> = {}) => ({
  error: { code, message: "m", ...more },
});

describe("a refusal on grounds of policy is the request's own fault", () => {
  for (const code of [
    "bio_policy",
    "cyber_policy",
    "content_policy_violation",
    "misalignment_policy_violation",
    "inference_hook_denied",
    "policy_capacity_unavailable",
    "flex_unavailable",
    "flexUnavailable",
    "budget_reached",
    "tooManyDenials",
    "sessionBudgetExceeded",
  ])
    test(code, () => {
      const failures = [
        ...[400, 403, 429, 503].map((status) => reply(status, error(code))),
        failureOfEvent({ type: "response.failed", response: error(code) }, NOW),
        failureOfEvent({ type: "error", status: 403, ...error(code) }, NOW),
      ];
      for (const failure of failures)
        for (const verdict of [
          judge(failure, "turn"),
          judge(failure, "handshake"),
          judgeChild(failure, "turn"),
        ])
          expect(verdict).toEqual({ kind: "client" });
    });

  test("except for a program in which another account may be enrolled: one more account is asked", () => {
    const failure = failureOfEvent(
      { type: "response.failed", response: error("access_program_not_enabled") },
      NOW,
    );
    expect(judge(failure, "turn")).toEqual({
      kind: "elsewhere",
      reason: "access_program_not_enabled",
      once: true,
    });
  });
});

test("a member's limits are limits", () => {
  for (const code of [
    "workspace_member_credits_depleted",
    "workspace_owner_usage_limit_reached",
    "workspace_member_usage_limit_reached",
  ])
    expect(judge(reply(403, error(code, { resets_in_seconds: 60 })), "turn")).toEqual({
      kind: "limit",
      untilMs: NOW + 60_000,
    });
});

describe("a reply means", () => {
  const TABLE: [string, ReturnType<typeof reply>, Scope, Verdict][] = [
    [
      "429 with a reset",
      reply(429, { error: { type: "usage_limit_reached", resets_at: 1_800_000_000 } }),
      "turn",
      { kind: "limit", untilMs: 1_800_000_000_000 },
    ],
    [
      "429 with seconds to the reset",
      reply(429, { error: { type: "usage_limit_reached", resets_in_seconds: 5 } }),
      "turn",
      { kind: "limit", untilMs: NOW + 5000 },
    ],
    [
      "a limit off the turn paths",
      reply(429, error("usage_limit_reached")),
      "other",
      { kind: "limit", untilMs: undefined },
    ],
    [
      "usage_not_included",
      reply(403, error("usage_not_included")),
      "turn",
      { kind: "limit", untilMs: undefined },
    ],
    [
      "403 in words",
      reply(403, { detail: { message: "You’ve hit your usage limit. Purchase" } }),
      "turn",
      { kind: "limit", untilMs: undefined },
    ],
    [
      "403 in plain text",
      reply(403, "see chatgpt.com/codex/settings/usage"),
      "turn",
      { kind: "limit", untilMs: undefined },
    ],
    ["plain 429", reply(429), "turn", { kind: "cool", reason: "http-429", forMs: 5000, isTimed: false }],
    [
      "429 with Retry-After",
      reply(429, "", { "retry-after": "17" }),
      "turn",
      { kind: "cool", reason: "http-429", forMs: 17_000, isTimed: true },
    ],
    [
      "503 with a silly Retry-After",
      reply(503, "", { "retry-after": "999999" }),
      "turn",
      { kind: "cool", reason: "http-503", forMs: 3_600_000, isTimed: true },
    ],
    ["500", reply(500), "turn", { kind: "cool", reason: "http-500", forMs: 2000, isTimed: false }],
    ["500 off the turn paths", reply(500), "other", { kind: "elsewhere", reason: "http-500" }],
    ["401", reply(401), "turn", { kind: "renew", status: 401 }],
    ["403", reply(403, error("account_deactivated")), "turn", { kind: "renew", status: 403 }],
    ["403 off the turn paths", reply(403, error("nope")), "other", { kind: "client" }],
    [
      "403 of a challenge",
      reply(403, "<html>", { "content-type": "text/html" }),
      "turn",
      { kind: "cool", reason: "http-403-challenge", forMs: 5000, isTimed: false },
    ],
    ["402", reply(402), "turn", { kind: "limit", untilMs: undefined }],
    ["400", reply(400, error("invalid_request")), "turn", { kind: "client" }],
    [
      "foreign ciphertext",
      reply(400, error("invalid_encrypted_content")),
      "turn",
      { kind: "foreign_ciphertext" },
    ],
    ["404", reply(404), "turn", { kind: "elsewhere", reason: "http-404" }],
    ["413", reply(413), "turn", { kind: "client" }],
    ["408", reply(408), "turn", { kind: "cool", reason: "http-408", forMs: 2000, isTimed: false }],
  ];
  for (const [name, failure, scope, verdict] of TABLE)
    test(`${name}: ${verdict.kind}`, () => {
      expect(judge(failure, scope)).toEqual(verdict);
    });
});

describe("an event means", () => {
  const TABLE: [string, unknown, Verdict][] = [
    [
      "a limit",
      { type: "error", status: 429, error: { type: "usage_limit_reached", resets_at: 1_800_000_000 } },
      { kind: "limit", untilMs: 1_800_000_000_000 },
    ],
    [
      "a limit without a status",
      { type: "response.failed", response: error("insufficient_quota") },
      { kind: "limit", untilMs: undefined },
    ],
    [
      "status_code",
      { type: "error", status_code: 503, error: { code: "x" } },
      { kind: "cool", reason: "http-503", forMs: 2000, isTimed: false },
    ],
    [
      "a rate limit that says when",
      {
        type: "response.failed",
        response: error("rate_limit_exceeded", { message: "Please try again in 1.5s." }),
      },
      { kind: "cool", reason: "rate_limit_exceeded", forMs: 1500, isTimed: true },
    ],
    [
      "a header in the event",
      { type: "error", status: 429, error: { code: "x" }, headers: { "retry-after": "3" } },
      { kind: "cool", reason: "http-429", forMs: 3000, isTimed: true },
    ],
    [
      "overload",
      { type: "response.failed", response: error("server_is_overloaded") },
      { kind: "cool", reason: "server_is_overloaded", forMs: 2000, isTimed: false },
    ],
    ["too long", { type: "response.failed", response: error("context_length_exceeded") }, { kind: "client" }],
    [
      "the backend's own reconnect",
      { type: "error", status: 400, error: { code: "websocket_connection_limit_reached" } },
      { kind: "client" },
    ],
    [
      "a detail in place of an error",
      {
        type: "error",
        status: 400,
        detail: "The 'x' model is not supported when using Codex with a ChatGPT account.",
      },
      { kind: "elsewhere", reason: "http-400" },
    ],
    [
      "the limit named in it",
      {
        type: "error",
        status: 429,
        error: { code: "usage_limit_reached" },
        headers: { "x-codex-active-limit": "codex-bengalfox" },
      },
      { kind: "limit", untilMs: undefined, limitId: "codex_bengalfox" },
    ],
    ["nothing readable", "x", { kind: "elsewhere", reason: "stream-failed" }],
  ];
  for (const [name, event, verdict] of TABLE)
    test(`${name}: ${verdict.kind}`, () => {
      expect(judge(failureOfEvent(event, NOW), "turn")).toEqual(verdict);
    });
});

test("Retry-After is read as seconds or a date, and nothing else", () => {
  expect(retryAfterMs("7", NOW)).toBe(7000);
  expect(retryAfterMs(new Date(NOW + 9000).toUTCString(), NOW)).toBe(9000);
  for (const text of [null, "", "0", "-3", "soon", new Date(NOW - 1000).toUTCString()])
    expect(retryAfterMs(text, NOW)).toBeUndefined();
});

describe("a failure of a request about state that belongs to one account", () => {
  const missing = { kind: "elsewhere", reason: "http-404", isMissing: true } as const;
  const NAMES: readonly [string, ReturnType<typeof reply>, Verdict][] = [
    ["a 404 means that the account does not have it", reply(404, { detail: "Not Found" }), missing],
    [
      "so does the message in any refusal",
      reply(400, { detail: "No note found at plan.md" }),
      { ...missing, reason: "http-400" },
    ],
    [
      "a usage limit is no limit of the account",
      reply(429, error("usage_limit_reached", { resets_in_seconds: 60 })),
      { kind: "elsewhere", reason: "http-429" },
    ],
    ["a 402 neither", reply(402), { kind: "elsewhere", reason: "http-402" }],
    ["a 503 cools nothing", reply(503), { kind: "elsewhere", reason: "http-503" }],
    ["a 401 renews the login", reply(401), { kind: "renew", status: 401 }],
    ["anything else is the request's own fault", reply(403), { kind: "client" }],
  ];
  test.each(NAMES)("%s", (_name, failure, verdict) => {
    expect(judge(failure, "state")).toEqual(verdict);
    expect(isMissing(judge(failure, "state"))).toBe("isMissing" in verdict);
  });
});
