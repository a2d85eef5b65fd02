// The spans of one turn: one for the turn, and a child for each attempt. Names and attributes follow OpenTelemetry's
// conventions for generative AI; what these do not name begins with `codexlb.`. Spans contain neither the content of a
// turn nor its session, its directory, or a key.

import type { TurnRecord } from "../core/turn-record.ts";
import { nameLabel } from "../metrics/labels.ts";
import { shortLine } from "../printable.ts";
import type { AttemptEnd } from "../proxy/traffic-counts.ts";
import type { Upstream } from "../upstream/upstream.ts";
import { attributesOf, SPAN_KIND, SPAN_STATUS, type Span, unixNano } from "./span.ts";
import type { TraceParent } from "./traceparent.ts";

/** An attempt to have the turn served. */
export interface TracedAttempt {
  /** 16 hex digits. */
  readonly spanId: string;
  readonly kind: Upstream["kind"];
  readonly label: string;
  /** Unix ms. */
  readonly startedMs: number;
  /** Undefined if it serves the turn, whose end is its own. */
  readonly endedMs: number | undefined;
  /** Undefined before it was judged. */
  readonly end: AttemptEnd | undefined;
}

export interface TracedTurn {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  readonly parent: TraceParent | undefined;
  /** When this proxy received it, Unix ms. */
  readonly startedMs: number;
  readonly endedMs: number;
  readonly attempts: readonly TracedAttempt[];
}

/** The spans of `traced`, whose record is `turn`. */
export function turnSpans(traced: TracedTurn, turn: TurnRecord): Span[] {
  const { traceId, spanId, parent, startedMs, endedMs, attempts } = traced;
  const { outcome, tokens, firstOutputMs, code } = turn;
  const model = turn.requestedModel && shortLine(turn.requestedModel, LONGEST_NAME);
  const hasFailed = FAILED.has(outcome);
  const firstMs = firstOutputMs === undefined ? undefined : turn.startedMs + firstOutputMs;
  const whole: Span = {
    traceId,
    spanId,
    ...(parent === undefined ? {} : { parentSpanId: parent.spanId }),
    name: model === undefined ? OPERATION : `${OPERATION} ${model}`,
    kind: SPAN_KIND.server,
    startTimeUnixNano: unixNano(startedMs),
    endTimeUnixNano: unixNano(endedMs),
    attributes: attributesOf({
      "gen_ai.operation.name": OPERATION,
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": model,
      "gen_ai.response.model": turn.servedModel && shortLine(turn.servedModel, LONGEST_NAME),
      "gen_ai.usage.input_tokens": tokens?.input,
      "gen_ai.usage.output_tokens": tokens?.output,
      "gen_ai.usage.cache_read.input_tokens": tokens?.cachedInput,
      "codexlb.usage.reasoning_tokens": tokens?.reasoning,
      "error.type": hasFailed ? shortLine(code ?? outcome, LONGEST_NAME) : undefined,
      "codexlb.turn.outcome": outcome,
      "codexlb.turn.kind": turn.kind,
      "codexlb.turn.transport": turn.transport,
      "codexlb.turn.attempts": turn.attempts,
      "codexlb.choice": turn.choice,
      "codexlb.account": turn.accountAlias && nameLabel(turn.accountAlias),
      "codexlb.proxy": turn.proxy && nameLabel(turn.proxy),
    }),
    ...(firstMs === undefined || firstMs < startedMs
      ? {}
      : { events: [{ name: "first output", timeUnixNano: unixNano(firstMs) }] }),
    status: { code: hasFailed ? SPAN_STATUS.error : SPAN_STATUS.unset },
  };
  // The last event of a short turn can arrive before the attempt is judged.
  const lastEnd = outcome === "completed" || outcome === "incomplete" ? "served" : undefined;
  return [whole, ...attempts.map((attempt) => attemptSpan(attempt, traced, attempt.end ?? lastEnd))];
}

// --- internal ---

/** Longest name of a model, or error code. */
const LONGEST_NAME = 100;
/** The name that the conventions give to a request for output. */
const OPERATION = "chat";

const FAILED: ReadonlySet<TurnRecord["outcome"]> = new Set(["failed", "cut", "refused"]);
const WORKED: ReadonlySet<AttemptEnd> = new Set(["served", "client_error", "aborted"]);

function attemptSpan(
  { spanId, kind, label, startedMs, endedMs }: TracedAttempt,
  { traceId, spanId: parentSpanId, endedMs: turnEndedMs }: TracedTurn,
  end: AttemptEnd | undefined,
): Span {
  const hasFailed = end !== undefined && !WORKED.has(end);
  return {
    traceId,
    spanId,
    parentSpanId,
    name: "attempt",
    kind: SPAN_KIND.client,
    startTimeUnixNano: unixNano(startedMs),
    endTimeUnixNano: unixNano(Math.max(startedMs, endedMs ?? turnEndedMs)),
    attributes: attributesOf({
      [kind === "account" ? "codexlb.account" : "codexlb.proxy"]: nameLabel(label),
      "codexlb.attempt.result": end,
      "error.type": hasFailed ? end : undefined,
    }),
    status: { code: hasFailed ? SPAN_STATUS.error : SPAN_STATUS.unset },
  };
}
