// Scrapes the executable while it serves turns on both transports, with failures: the text is valid, the sums are the
// backend's own, and nothing in it identifies a person, a session or a secret.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { systemDeps } from "../../src/deps.ts";
import { startMock } from "../../src/mock/backend.ts";
import { createSocketClient, createSseClient } from "../../src/mock/client.ts";
import { layoutOf } from "../../src/state/layout.ts";
import { executable } from "../support/executable.ts";
import { enrol, until } from "../support/pool.ts";
import { promtool, whyNoPromtool } from "../support/promtool.ts";
import { samplesIn, scrape, sumOf } from "../support/scrape.ts";

const TURNS = 400;
const CLIENTS = 8;
const MOST_SCRAPES = 50;
/** An alias that is an e-mail address, and other words that clients choose. */
const CANARIES = {
  alias: "canary@example.com",
  session: "canary-session",
  model: "canary-model",
  project: "/home/canary/project",
};

const CREATED = { type: "response.created", response: { id: "resp_1", status: "in_progress", output: [] } };
const OUTPUT = { type: "response.output_text.delta", delta: "x" };
const METADATA = { "x-codex-turn-metadata": JSON.stringify({ workspaces: { [CANARIES.project]: {} } }) };

test(`the metrics of ${TURNS} mixed turns are valid and complete, and identify no one`, async () => {
  using tool = executable();
  const layout = layoutOf(tool.root);
  const mock = startMock({
    accounts: ["alice", "bob", CANARIES.alias].map((alias) => ({ alias, turns: 10 * TURNS })),
    clock: systemDeps().clock,
  });
  const logins = ["alice", "bob", CANARIES.alias].map((alias) => [alias, mock.authFile(alias)] as const);
  for (const [alias, auth] of logins) enrol(layout, alias, auth);
  await Bun.write(
    layout.config,
    '[policy]\nmode = "round_robin"\n[proxy]\nname = "tested"\ncooldown_default_seconds = 1\n',
  );
  const key = (await tool.run(["key", "add", "--role", "metrics", "prometheus"])).out.trim();
  const proxy = await tool.start(["proxy", "--listen", "127.0.0.1:0", "--upstream", mock.baseUrl], {
    CODEXLB_TOKEN_URL: mock.tokenUrl,
  });
  const url = /listening on (http:\S+)/.exec(proxy.firstLine)?.[1] ?? "";
  for (const on of Array.from({ length: TURNS / 80 }, () => ["sse", "message"] as const).flat())
    mock.faults.add(
      { on, skip: 5, times: 1, events: [CREATED, OUTPUT], end: "reset" },
      { on, skip: 5, times: 1, answer: { status: 503, body: { error: { code: "canary_code" } } } },
      {
        on,
        skip: 5,
        times: 1,
        events: [CREATED, { type: "response.failed", response: { error: { code: "canary_code" } } }],
      },
      {
        on,
        skip: 5,
        times: 1,
        events: [CREATED, { type: "response.failed", response: { error: { code: "invalid_prompt" } } }],
      },
    );
  const clients = Array.from({ length: CLIENTS }, (_, index) =>
    (index % 2 === 0 ? createSseClient : createSocketClient)(url, `${CANARIES.session}-${index}`, METADATA),
  );
  let left = TURNS;
  const texts: string[] = [];
  const scraping = (async () => {
    while (left > 0 && texts.length < MOST_SCRAPES) texts.push(await scrape(url, key));
  })();
  await Promise.all(
    clients.map(async (client) => {
      while (left-- > 0) await client.turn("hello", CANARIES.model).catch(() => {});
    }),
  );
  await scraping;
  for (const client of clients) client.close();
  await until(
    "all turns ended",
    async () => sumOf(samplesIn(await scrape(url, key)), "codexlb_turns_in_flight") === 0,
  );
  const last = await scrape(url, key);
  texts.push(last);
  const openMetrics = await scrape(url, key, "application/openmetrics-text");
  const sent = mock.sentUsage();
  await proxy.stop();
  await mock.stop();

  const samples = samplesIn(last);
  const sum = (name: string, labels = {}) => sumOf(samples, name, labels);
  console.log(
    `${texts.length} scrapes of up to ${Math.max(...texts.map(({ length }) => length))} bytes during ${sum("codexlb_turns_total")} turns`,
  );
  expect({
    input: sum("codexlb_tokens_total", { type: "input" }),
    cachedInput: sum("codexlb_tokens_total", { type: "cached_input" }),
    output: sum("codexlb_tokens_total", { type: "output" }),
    reasoning: sum("codexlb_tokens_total", { type: "reasoning" }),
  }).toEqual({
    input: sent.input,
    cachedInput: sent.cachedInput,
    output: sent.output,
    reasoning: sent.reasoning,
  });
  expect(sum("codexlb_turns_total", { kind: "turn" })).toBeGreaterThanOrEqual(TURNS);
  for (const transport of ["sse", "websocket"])
    for (const outcome of ["completed", "failed"])
      expect([outcome, sum("codexlb_turns_total", { outcome, transport }) > 0]).toEqual([outcome, true]);
  expect(sum("codexlb_attempts_total", { purpose: "turn", result: "cooldown" })).toBeGreaterThan(0);
  expect(sum("codexlb_turn_duration_seconds_count")).toBe(
    sum("codexlb_turns_total") - sum("codexlb_turns_total", { outcome: "moved" }),
  );
  expect(sum("codexlb_attempts_total", { purpose: "turn" })).toBeGreaterThan(TURNS);
  // A counter never goes back.
  const counts = texts.map((text) => sumOf(samplesIn(text), "codexlb_turns_total"));
  expect(counts).toEqual(counts.toSorted((a, b) => a - b));
  for (const text of texts) {
    const series = samplesIn(text).map(({ name, labels }) => `${name} ${JSON.stringify(labels)}`);
    expect(series.length).toBe(new Set(series).size);
  }
  // Their number depends on the accounts, not on the traffic.
  expect(samples.length).toBeLessThan(400);

  const secrets = logins.flatMap(([, auth]) =>
    Object.values(JSON.parse(auth).tokens as Record<string, string>),
  );
  const forbidden = [
    ...[CANARIES.alias, CANARIES.session, CANARIES.model, CANARIES.project, "canary", "example.com", "@"],
    ...[key, readFileSync(layout.adminToken, "utf8").trim(), tool.directory, ...secrets],
  ];
  for (const text of [...texts, openMetrics])
    expect(forbidden.filter((word) => text.includes(word))).toEqual([]);
  if (whyNoPromtool() === undefined)
    for (const text of [texts[0] ?? "", last]) await promtool(["check", "metrics"], text);
  else console.log(`skipped: promtool check metrics: ${whyNoPromtool()}`);
});
