// Sends spans to a collector, in the background. Spans are gathered and sent together, so that no turn waits. While the
// collector does not answer, a bounded number of spans waits, and further ones are dropped and counted.

import { boundedFetch } from "../bounded-fetch.ts";
import type { Deps } from "../deps.ts";
import { messageOf } from "../errors.ts";
import { egressProblem } from "../network/connect-problem.ts";
import { fetchOptions, type Outbound } from "../network/egress.ts";
import { shortLine } from "../printable.ts";
import { VERSION } from "../version.ts";
import type { TracingSettings } from "./settings.ts";
import { exportBody, type Span } from "./span.ts";

export interface SpanExporter {
  add(spans: readonly Span[]): void;
  /** How many spans were sent and dropped so far. */
  counts(): { readonly sent: number; readonly dropped: number };
  /** Sends the spans in memory, once, within `STOP_MS`, and stops. */
  stop(): Promise<void>;
}

export interface SpanExporterOptions {
  readonly deps: Pick<Deps, "clock" | "log">;
  readonly outbound: Pick<Outbound, "toProxy">;
  readonly settings: Pick<TracingSettings, "url" | "headers" | "timeoutMs" | "resource">;
}

/** How long spans are gathered. */
export const GATHER_MS = 5_000;
/** The most spans of one request. */
export const MOST_AT_ONCE = 512;
/** The most spans that wait: about 2 MB. */
export const MOST_WAITING = 2_048;
/** The longest time between two requests while they fail. */
export const LONGEST_RETRY_MS = 60_000;
/** The longest time that the proxy's shutdown waits for the collector. */
export const STOP_MS = 2_000;

export function createSpanExporter({ deps, outbound, settings }: SpanExporterOptions): SpanExporter {
  const { clock, log } = deps;
  const { url, headers, timeoutMs, resource } = settings;
  let waiting: Span[] = [];
  let cancel: (() => void) | undefined;
  let sending: Promise<void> | undefined;
  let isStopped = false;
  let retryMs = GATHER_MS;
  let hasFailed = false;
  let sent = 0;
  let dropped = 0;

  const later = (ms: number): void => {
    if (!isStopped) cancel ??= clock.after(ms, () => send(timeoutMs));
  };

  const post = async (spans: readonly Span[], limitMs: number): Promise<"sent" | "refused" | "retry"> => {
    try {
      const egress = outbound.toProxy(url);
      const request = {
        method: "POST",
        headers: { ...headers, "content-type": "application/json", "user-agent": `codexlb/${VERSION}` },
        body: exportBody(resource, SCOPE, spans),
        ...fetchOptions(egress),
      };
      const answer = await boundedFetch(url, request, { limitBytes: LIMIT_BYTES, timeoutMs: limitMs }).catch(
        (error) => egressProblem(error, url, egress),
      );
      if (typeof answer !== "string" && answer.ok) return "sent";
      failed(typeof answer === "string" ? answer : `the collector returned status ${answer.status}`);
      return typeof answer === "string" || RETRIED.has(answer.status) ? "retry" : "refused";
    } catch (error) {
      // The certificates in the settings cannot be read.
      failed(messageOf(error));
      return "retry";
    }
  };
  const failed = (why: string): void => {
    // The URL may contain a secret.
    if (!hasFailed)
      log.warn(`sending traces: ${shortLine(why.replaceAll(url, "the collector"))}; codexlb keeps trying`);
    hasFailed = true;
  };

  const sendWaiting = async (limitMs: number): Promise<void> => {
    cancel?.();
    cancel = undefined;
    if (waiting.length === 0) return;
    const spans = waiting.splice(0, MOST_AT_ONCE);
    const result = await post(spans, limitMs);
    if (result === "sent") {
      sent += spans.length;
      if (hasFailed) log.info("traces are sent again");
      hasFailed = false;
      retryMs = GATHER_MS;
      if (waiting.length > 0) later(waiting.length < MOST_AT_ONCE ? GATHER_MS : 0);
      return;
    }
    retryMs = Math.min(2 * retryMs, LONGEST_RETRY_MS);
    if (result === "refused") dropped += spans.length;
    else keep([...spans, ...waiting]);
    if (waiting.length > 0) later(retryMs);
  };
  /** Sends waiting spans, unless others are being sent. */
  const send = (limitMs: number): void => {
    sending ??= sendWaiting(limitMs).finally(() => {
      sending = undefined;
    });
  };
  /** Keeps as many of `spans` as may wait: the oldest ones, whose traces are complete. */
  const keep = (spans: Span[]): void => {
    dropped += Math.max(0, spans.length - MOST_WAITING);
    waiting = spans.slice(0, MOST_WAITING);
  };

  return {
    add: (spans) => {
      if (waiting.length + spans.length > MOST_WAITING) {
        dropped += spans.length;
        return;
      }
      waiting.push(...spans);
      if (waiting.length >= MOST_AT_ONCE && !hasFailed) send(timeoutMs);
      else later(hasFailed ? retryMs : GATHER_MS);
    },
    counts: () => ({ sent, dropped }),
    stop: async () => {
      isStopped = true;
      let cancelLimit = () => {};
      const limit = new Promise<void>((resolve) => {
        cancelLimit = clock.after(STOP_MS, resolve);
      });
      const last = async () => {
        await sending;
        await sendWaiting(STOP_MS);
      };
      await Promise.race([last(), limit]);
      cancelLimit();
      cancel?.();
      cancel = undefined;
    },
  };
}

// --- internal ---

const SCOPE = { name: "codexlb", version: VERSION };
/** Collectors answer with a few bytes. */
const LIMIT_BYTES = 64 * 1024;
/** Statuses after which a collector wants the spans again (OTLP/HTTP). */
const RETRIED: ReadonlySet<number> = new Set([429, 502, 503, 504]);
