// Counts what the proxy reports while it serves: requests, attempts, turns and events. Everything here is on the way of
// requests, so it only adds to numbers in memory.

import { REFRESH_RESULTS, type RefreshResult } from "../auth/refresh.ts";
import { type Counter, createCounter } from "../core/metrics/counter.ts";
import { createHistogram, type Histogram } from "../core/metrics/histogram.ts";
import type { TurnRecord, TurnTransport } from "../core/turn-record.ts";
import type { TrafficCounts } from "../proxy/traffic-counts.ts";
import type { EventFields } from "../state/events.ts";
import { definitionOf, type MetricId } from "./definitions.ts";
import { reasonLabel } from "./labels.ts";
import type { Report, UpstreamLabels } from "./report.ts";

export interface TrafficMetrics extends TrafficCounts {
  /** A turn began. */
  turnBegan(): void;
  /** A turn that began has ended. */
  turnEnded(turn: TurnRecord): void;
  /** An event was logged. */
  event(event: string, fields: EventFields): void;
  /** A request to the token endpoint was answered. */
  refreshed(result: RefreshResult): void;
  /** Reports all counts. Those of upstreams that the pool no longer has are left out. */
  report(report: Report, upstreams: UpstreamLabels): void;
}

export function createTrafficMetrics(): TrafficMetrics {
  const requests = createCounter();
  const refusals = createCounter();
  const handshakes = createCounter();
  const attempts = createCounter();
  const turns = createCounter();
  const tokens = createCounter();
  const switches = createCounter();
  const cooldowns = createCounter();
  const refreshes = createCounter();
  for (const result of REFRESH_RESULTS) refreshes.add([result], 0);
  const overhead = byTransport("turnOverhead");
  const firstOutput = byTransport("turnFirstOutput");
  const duration = byTransport("turnDuration");
  let inFlight = 0;
  let retriesDenied = 0;

  const countTokens = ({ tokens: used, accountId, proxy = "" }: TurnRecord): void => {
    if (used === undefined) return;
    const upstream = accountId ?? proxy;
    tokens.add([upstream, "input"], used.input);
    tokens.add([upstream, "cached_input"], used.cachedInput);
    tokens.add([upstream, "output"], used.output);
    tokens.add([upstream, "reasoning"], used.reasoning);
  };

  return {
    answered: (by, status) => requests.add([by, `${Math.floor(status / 100)}xx`]),
    refused: (code) => refusals.add([code]),
    handshakeRefused: (code) => handshakes.add([code]),
    attempt: (purpose, end, upstreamId) => attempts.add([upstreamId, purpose, end]),
    sent: (transport, seconds) => overhead[transport].observe(seconds),
    turnBegan: () => {
      inFlight++;
    },
    turnEnded: (turn) => {
      const { outcome, transport, kind, firstOutputMs, durationMs } = turn;
      inFlight--;
      turns.add([outcome, transport, kind]);
      // The record of the new connection has the times of the whole turn.
      if (outcome !== "moved") duration[transport].observe(durationMs / 1000);
      if (firstOutputMs !== undefined) firstOutput[transport].observe(firstOutputMs / 1000);
      countTokens(turn);
    },
    event: (event, fields) => {
      switch (event) {
        case "account.cooldown":
        case "child_proxy.cooldown":
          cooldowns.add([
            textOf(fields.account_id ?? fields.child_proxy_url),
            reasonLabel(textOf(fields.reason)),
          ]);
          break;
        case "request.switched":
          // Metrics count what this process does.
          if (fields.replica === undefined)
            switches.add([reasonLabel(textOf(fields.reason)), textOf(fields.window)]);
          break;
        case "request.retry_denied":
          retriesDenied++;
          break;
      }
    },
    refreshed: (result) => refreshes.add([result]),
    report: (report, upstreams) => {
      const plain = (id: MetricId, counter: Counter): void => {
        const { labels } = definitionOf(id);
        for (const { values, count } of counter.counts())
          report(id, count, Object.fromEntries(labels.map((name, index) => [name, values[index] ?? ""])));
      };
      /** The first value of each count is the upstream. */
      const perUpstream = (id: MetricId, counter: Counter, names: readonly string[]): void => {
        for (const { values, count } of counter.counts()) {
          const [upstream = "", ...rest] = values;
          const named = upstreams.get(upstream);
          if (named === undefined) continue;
          report(id, count, {
            ...Object.fromEntries(names.map((name, index) => [name, rest[index] ?? ""])),
            ...named,
          });
        }
      };
      const distributions = (id: MetricId, histograms: ByTransport): void => {
        for (const [transport, histogram] of Object.entries(histograms))
          report(id, histogram.read(), { transport });
      };
      plain("requests", requests);
      plain("refusals", refusals);
      plain("handshakeRefusals", handshakes);
      plain("turns", turns);
      report("turnsInFlight", inFlight);
      distributions("turnOverhead", overhead);
      distributions("turnFirstOutput", firstOutput);
      distributions("turnDuration", duration);
      perUpstream("attempts", attempts, ["purpose", "result"]);
      report("retriesDenied", retriesDenied);
      plain("switches", switches);
      perUpstream("tokens", tokens, ["type"]);
      perUpstream("cooldowns", cooldowns, ["reason"]);
      plain("tokenRefreshes", refreshes);
    },
  };
}

// --- internal ---

type ByTransport = Readonly<Record<TurnTransport, Histogram>>;

function byTransport(id: MetricId): ByTransport {
  const { bounds = [] } = definitionOf(id);
  return { sse: createHistogram(bounds), websocket: createHistogram(bounds) };
}

function textOf(value: EventFields[string]): string {
  return value === undefined ? "" : String(value);
}
