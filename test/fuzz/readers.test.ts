// Random data from other parties: the readers throw only documented errors, and their results can be shown, pooled,
// sent as headers and written to a file.

import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { parseAuthFile } from "../../src/auth/auth-file.ts";
import { readClaims } from "../../src/auth/claims.ts";
import { openKeys } from "../../src/auth/keys.ts";
import { plainView } from "../../src/core/capacity.ts";
import { capacityOfReport } from "../../src/core/child-capacity.ts";
import { reportOf } from "../../src/core/child-report.ts";
import { failureOfEvent, failureOfReply } from "../../src/core/failure.ts";
import { parseJson } from "../../src/core/json.ts";
import { pooledUsage } from "../../src/core/pooled.ts";
import { mergeQuota, type Quota, UNKNOWN_QUOTA } from "../../src/core/quota.ts";
import { summaryOf } from "../../src/core/quota-summary.ts";
import { quotaFromEvent, quotaFromHeaders, quotaFromUsage } from "../../src/core/quota-wire.ts";
import { StatusAnswer } from "../../src/core/status-schema.ts";
import { readTurnSignal } from "../../src/core/turn.ts";
import { usageBody } from "../../src/core/usage-body.ts";
import { judge, judgeChild } from "../../src/core/verdict.ts";
import { presentOf } from "../../src/core/windows.ts";
import { systemDeps } from "../../src/deps.ts";
import { CodexlbError } from "../../src/errors.ts";
import { poolHeaders, poolLimitsEvent } from "../../src/proxy/pool-limits.ts";
import { portableRequest, turnRequestOf, withoutTurnState } from "../../src/proxy/turn/portable.ts";
import { parseConfig } from "../../src/state/config.ts";
import { readLogLines } from "../../src/state/log-parts.ts";
import { decodeStore } from "../../src/state/store-decode.ts";
import { encodeStore } from "../../src/state/store-encode.ts";
import { createAffinity } from "../../src/upstream/affinity.ts";
import { tempDirectory } from "../support/temp.ts";
import { FUZZ_TIMEOUT_MS, tries } from "./budget.ts";

const NOW = Date.UTC(2026, 10, 28);
const VIEW = { nowMs: NOW, ttlMs: 60_000 };

// --- random data

const text = fc.oneof(
  fc.constantFrom("", "codex", "gpt", "a\r\nb", "\ud800", "\u0000", "\u001b[2J", "é🥕", "x".repeat(5_000)),
  fc.string({ unit: "binary", maxLength: 20 }),
);
const number = fc.oneof(
  fc.constantFrom(
    0,
    -0,
    -1,
    1,
    100,
    1e308,
    -1e308,
    5e-324,
    2 ** 53,
    253_402_300_799,
    NOW / 1000 + 60,
    NOW + 60_000,
  ),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
);
const odd = fc.oneof(text, number, fc.boolean(), fc.constant(null), fc.jsonValue({ maxDepth: 3 }));
/** Usually a value of the expected type, sometimes any value. */
const mostly = <T>(expected: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 4, arbitrary: expected as fc.Arbitrary<unknown> }, { weight: 1, arbitrary: odd });
const record = (fields: Record<string, fc.Arbitrary<unknown>>) => fc.record(fields, { requiredKeys: [] });

const quotaWindow = mostly(
  record({
    used_percent: mostly(number),
    used: mostly(number),
    limit: mostly(number),
    limit_window_seconds: mostly(number),
    window_minutes: mostly(number),
    reset_at: mostly(number),
    resets_at: mostly(number),
    reset_after_seconds: mostly(number),
  }),
);
const rateLimit = mostly(record({ primary_window: quotaWindow, secondary_window: quotaWindow }));
const usage = record({
  plan_type: mostly(text),
  rate_limit: rateLimit,
  additional_rate_limits: mostly(
    fc.array(
      mostly(record({ limit_name: mostly(text), metered_feature: mostly(text), rate_limit: rateLimit })),
      {
        maxLength: 40,
      },
    ),
  ),
});
const limitsEvent = record({
  type: fc.constantFrom("codex.rate_limits", "token_count", "event_msg"),
  plan_type: mostly(text),
  metered_limit_name: mostly(text),
  limit_name: mostly(text),
  rate_limits: mostly(record({ primary: quotaWindow, secondary: quotaWindow, limit_id: mostly(text) })),
  payload: mostly(
    record({ type: fc.constant("token_count"), rate_limits: mostly(record({ primary: quotaWindow })) }),
  ),
});
const error = mostly(
  record({
    code: mostly(fc.constantFrom("usage_limit_reached", "rate_limit_exceeded", "invalid_encrypted_content")),
    type: mostly(text),
    message: mostly(fc.oneof(text, fc.constant("try again in 99999999999999999999s"))),
    resets_at: mostly(number),
    resets_in_seconds: mostly(number),
  }),
);
const failure = record({
  type: fc.constantFrom("error", "response.failed"),
  status: mostly(fc.integer({ min: 100, max: 599 })),
  error,
  detail: error,
  response: mostly(record({ error })),
  headers: mostly(fc.dictionary(fc.constantFrom("retry-after", "x-codex-active-limit"), mostly(text))),
});
const headerText = fc
  .string({ unit: "binary-ascii", maxLength: 30 })
  .map((value) => value.replace(/[^ -~]/g, "").trim());
const headers = fc
  .dictionary(
    fc.constantFrom(
      "retry-after",
      "x-codex-primary-used-percent",
      "x-codex-primary-reset-at",
      "x-codex-primary-window-minutes",
      "x-spark-secondary-used-percent",
      "x-spark-limit-name",
      "x-codex-plan-type",
      "x-codex-active-limit",
    ),
    fc.oneof(headerText, number.map(String)),
  )
  .map((fields) => new Headers(fields));

/** Does everything that the program does with an account's figures. */
function use(quota: Quota): void {
  const all = mergeQuota(UNKNOWN_QUOTA, quota);
  const health = { kind: "healthy" } as const;
  const pooled = pooledUsage([{ health, quota: all, summary: summaryOf(all, all.main, VIEW) }], VIEW, true);
  const answer = new Headers({ "x-codex-primary-used-percent": "1" });
  poolHeaders(answer, () => pooled);
  for (const window of presentOf(pooled.main.windows)) {
    expect(window.left).toBeWithin(0, 1.000001);
    if (window.resetAtMs !== undefined) new Date(window.resetAtMs).toISOString();
  }
  const body = JSON.parse(JSON.stringify(usageBody(pooled, NOW))) as {
    rate_limit: { primary_window: Record<string, number> | null };
  };
  for (const value of Object.values(body.rate_limit.primary_window ?? {}))
    expect(Number.isInteger(value)).toBe(true);
  expect(JSON.stringify(body).isWellFormed()).toBe(true);
}

describe("from a backend:", () => {
  test(
    "usage, events and headers with limits",
    () => {
      fc.assert(
        fc.property(usage, limitsEvent, headers, (reported, event, sent) => {
          for (const evidence of [
            quotaFromUsage(reported, NOW),
            quotaFromEvent(event, NOW),
            quotaFromHeaders(sent, NOW),
          ])
            if (evidence !== undefined) use(evidence);
          const signal = readTurnSignal(JSON.stringify(event), NOW);
          if (signal.kind === "quota") poolLimitsEvent(signal, pooledUsage([], VIEW, true));
        }),
        tries(3_000),
      );
    },
    FUZZ_TIMEOUT_MS,
  );

  test(
    "errors, as responses and as events",
    () => {
      fc.assert(
        fc.property(
          failure,
          headers,
          fc.integer({ min: 400, max: 599 }),
          text,
          (event, sent, status, tail) => {
            for (const failed of [
              failureOfEvent(event, NOW),
              failureOfReply(status, sent, JSON.stringify(event), NOW),
              failureOfReply(status, sent, JSON.stringify(event).slice(0, 40) + tail, NOW),
            ])
              for (const scope of ["turn", "handshake", "other"] as const)
                for (const verdict of [judge(failed, scope), judgeChild(failed, scope)]) {
                  if (verdict.kind === "cool") expect(verdict.forMs).toBeWithin(0, 3_600_001);
                  if (verdict.kind === "limit" && verdict.untilMs !== undefined)
                    new Date(verdict.untilMs).toISOString();
                }
          },
        ),
        tries(3_000),
      );
    },
    FUZZ_TIMEOUT_MS,
  );

  test(
    "the text of any event",
    () => {
      fc.assert(
        fc.property(
          fc.oneof(
            text,
            fc.json(),
            failure.map((event) => JSON.stringify(event)),
          ),
          (json) => {
            readTurnSignal(json, NOW);
          },
        ),
        tries(3_000),
      );
    },
    FUZZ_TIMEOUT_MS,
  );
});

test(
  "from a child proxy: its status",
  () => {
    const account = record({
      alias: mostly(text),
      id: mostly(text),
      proxy_name: mostly(text),
      proxy_path: mostly(fc.array(record({ name: mostly(text), id: mostly(text) }), { maxLength: 3 })),
      identity: mostly(text),
      email: mostly(text),
      active: mostly(fc.boolean()),
      pinned: mostly(fc.boolean()),
      healthy: mostly(fc.boolean()),
      enabled: mostly(fc.boolean()),
      disabled_reason: mostly(text),
      cooldown_seconds: mostly(number),
      cooldown_reason: mostly(text),
      daily_left_pct: mostly(number),
      weekly_left_pct: mostly(number),
      daily_reset_at: mostly(number),
      weekly_reset_at: mostly(number),
      score: mostly(number),
      plan_type: mostly(text),
      figures: mostly(
        fc.array(record({ window: mostly(text), source: mostly(text), age_seconds: mostly(number) })),
      ),
    });
    // One field of the wrong type makes the whole document unreadable, so most documents have only correct types.
    const sound = fc.record({
      alias: text,
      id: text,
      active: fc.boolean(),
      pinned: fc.boolean(),
      healthy: fc.boolean(),
      enabled: fc.boolean(),
      cooldown_seconds: number,
      daily_left_pct: number,
      weekly_left_pct: number,
      daily_reset_at: number,
      weekly_reset_at: number,
      score: number,
      plan_type: text,
      figures: fc.array(
        fc.record({ window: fc.constantFrom("daily", "weekly"), source: text, age_seconds: number }),
      ),
    });
    const status = record({
      proxy_name: mostly(text),
      proxy_id: mostly(text),
      accounts: fc.oneof(fc.array(sound, { maxLength: 4 }), mostly(fc.array(account, { maxLength: 4 }))),
      child_proxies: mostly(fc.constant([])),
    });
    let read = 0;
    fc.assert(
      fc.property(status, (document) => {
        const answer = StatusAnswer.safeParse(parseJson(JSON.stringify(document)));
        if (!answer.success) return;
        read++;
        const report = reportOf(answer.data, { name: "own", id: "own" }, NOW);
        const capacity = capacityOfReport(report, plainView(NOW));
        expect(capacity.score).toBeWithin(0, 1.000001);
        for (const { quota, health } of report.accounts) {
          use(quota);
          if (health.kind === "cooling") new Date(health.untilMs).toISOString();
        }
      }),
      tries(2_000),
    );
    expect(read).toBeGreaterThan(100);
  },
  FUZZ_TIMEOUT_MS,
);

/** Runs `read`, which may return or throw a CodexlbError, but no other error. */
function orRefused(read: () => unknown): void {
  try {
    read();
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(CodexlbError);
    expect((thrown as CodexlbError).message.length).toBeLessThan(100_000);
  }
}

describe("from files:", () => {
  test(
    "auth.json and tokens",
    () => {
      const token = mostly(
        fc.oneof(
          text,
          fc.jsonValue().map((claims) => `h.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.s`),
        ),
      );
      const file = record({
        auth_mode: mostly(text),
        last_refresh: mostly(text),
        tokens: mostly(
          record({ access_token: token, refresh_token: token, id_token: token, account_id: mostly(text) }),
        ),
      });
      fc.assert(
        fc.property(
          fc.oneof(
            file.map((value) => JSON.stringify(value)),
            text,
          ),
          (content) =>
            orRefused(() => {
              const { accessToken, accountId } = parseAuthFile(content, "auth.json");
              new Headers({ authorization: `Bearer ${accessToken}`, "chatgpt-account-id": accountId ?? "" });
              readClaims(accessToken);
            }),
        ),
        tries(2_000),
      );
    },
    FUZZ_TIMEOUT_MS,
  );

  test(
    "config.toml",
    () => {
      const key = fc.constantFrom(
        "listen",
        "max_attempts",
        "child_proxy_urls",
        "mode",
        "weights",
        "é",
        '"a b"',
        "x.y",
      );
      const value = fc.oneof(
        number.map((value) => (Number.isInteger(value) ? String(value) : value.toExponential())),
        text.map((value) => JSON.stringify(value)),
        fc.constantFrom("true", "[]", '["http://x"]', "{}", "1979-05-27", "inf", "nan", "'''", "[[", "0x1"),
      );
      const line = fc.oneof(
        fc.constantFrom("[proxy]", "[policy]", "[policy.weights]", "[[proxy]]", "[", "# x", ""),
        fc.tuple(key, value).map(([name, text]) => `${name} = ${text}`),
        text,
      );
      fc.assert(
        fc.property(fc.array(line, { maxLength: 12 }), (lines) =>
          orRefused(() => parseConfig(lines.join("\n"), "config.toml")),
        ),
        tries(2_000),
      );
    },
    FUZZ_TIMEOUT_MS,
  );

  test(
    "store.json, read and written again",
    () => {
      const file = record({
        version: fc.constantFrom(1, 1, 1, 2, "1"),
        state: mostly(record({ active_index: mostly(number), pinned_account_id: mostly(text) })),
        accounts: mostly(
          fc.array(
            fc.record(
              {
                id: text,
                alias: text,
                home_dir: text,
                enabled: mostly(fc.boolean()),
                cooldown_until_ms: mostly(number),
                last_used_at_ms: mostly(number),
                user_email: mostly(text),
                quota: record({
                  daily_limit: mostly(number),
                  daily_used: mostly(number),
                  daily_reset_at: mostly(number),
                  additional_limits: mostly(
                    fc.array(record({ limit_id: mostly(text), primary_limit: mostly(number) }), {
                      maxLength: 3,
                    }),
                  ),
                }),
              },
              { requiredKeys: ["id", "alias", "home_dir"] },
            ),
            { maxLength: 4 },
          ),
        ),
      });
      fc.assert(
        fc.property(
          fc.oneof(
            file.map((value) => JSON.stringify(value)),
            text,
          ),
          (content) => {
            const decoded = decodeStore(content, "https://x", NOW);
            if (decoded.kind !== "ok") return;
            for (const { quota } of decoded.state.accounts) use(quota);
            const written = encodeStore(decoded.state, "https://x", NOW);
            expect(decodeStore(written, "https://x", NOW).kind).toBe("ok");
          },
        ),
        tries(2_000),
      );
    },
    FUZZ_TIMEOUT_MS,
  );

  test(
    "sessions, keys and the event log",
    () => {
      using directory = tempDirectory();
      mkdirSync(directory.path, { recursive: true });
      const deps = { ...systemDeps(), log: { info: () => {}, warn: () => {} } };
      const line = fc.oneof(
        fc.json(),
        text,
        fc.constant('["s","openai:a",1]'),
        fc.constant('{"ts":1,"event":"x"}'),
      );
      let count = 0;
      fc.assert(
        fc.property(fc.array(line, { maxLength: 6 }), (lines) => {
          const path = join(directory.path, String(count++));
          writeFileSync(path, lines.join("\n"));
          createAffinity({ path, deps }).get("s");
          orRefused(() => openKeys(path, deps));
          // What keys have used is no reason to refuse anything.
          const useFile = { path, isOurs: () => false };
          openKeys(join(directory.path, "none"), { ...deps, useFile });
          readLogLines(path, { tail: 10, limit: 10, offset: undefined });
        }),
        tries(300),
      );
    },
    FUZZ_TIMEOUT_MS,
  );
});

test(
  "from a client: the text of a request",
  () => {
    const item = mostly(
      record({
        type: fc.constantFrom("reasoning", "compaction", "message"),
        encrypted_content: mostly(text),
        content: odd,
      }),
    );
    const request = record({
      input: mostly(fc.array(item, { maxLength: 5 })),
      previous_response_id: mostly(text),
      generate: mostly(fc.boolean()),
      client_metadata: mostly(fc.dictionary(fc.constantFrom("x-codex-turn-state", "a"), odd)),
    });
    fc.assert(
      fc.property(
        fc.oneof(
          request.map((value) => JSON.stringify(value)),
          text,
        ),
        (json) => {
          turnRequestOf(json);
          for (const changed of [portableRequest(json), withoutTurnState(json)])
            if (changed !== undefined && parseJson(json) !== undefined)
              expect(parseJson(changed)).toBeDefined();
        },
      ),
      tries(3_000),
    );
  },
  FUZZ_TIMEOUT_MS,
);
