// Records one turn, the same way for both transports. The parts that handle the turn report what happens to it, and
// `end` passes the record on, once, however the turn ends.

import { turnMetadataOf } from "../../core/turn-metadata.ts";
import type { TurnKind, TurnOutcome, TurnRecord, TurnSwitch, TurnTransport } from "../../core/turn-record.ts";
import { responseResultOf, type TurnResult, turnResultOf } from "../../core/turn-result.ts";
import type { Verdict } from "../../core/verdict.ts";
import type { Lease } from "../../upstream/leases.ts";
import type { IncomingRequest, ProxyContext } from "../context.ts";
import type { RequestFacts } from "../session.ts";
import type { TurnTrace } from "../turn-trace.ts";

export interface TurnRecorder {
  /** The turn begins now, after it has waited for a reset. */
  restart(): void;
  /** An upstream was picked for the turn. */
  picked(lease: Lease): void;
  /** The upstream does not serve the turn, because of `reason`; another one may. */
  moves(reason: string): void;
  /** An upstream reported a failure with this code, or else this status. */
  failure(failure: { readonly code: string | undefined; readonly status: number | undefined }): void;
  /** Output arrived. Only the first one counts. */
  output(): void;
  /** The turn's last event, of `type`, arrived. */
  lastEvent(type: string | undefined, event: string): void;
  /** The whole response of a turn that is not streamed arrived, as JSON. */
  wholeResponse(response: string): void;
  /** The client is asked to reconnect and to send the turn again. The record of that continues this one. */
  moved(): void;
  /** The turn is over. Only the first call counts. `code`: default: that of the last failure. */
  end(outcome: TurnOutcome, code?: string): void;
}

export interface RecordedTurn extends RequestFacts {
  readonly transport: TurnTransport;
  /** The kind according to the request itself. Its metadata may name another one. */
  readonly kind: TurnKind;
  /** The metadata that Codex sent with the turn, as JSON. */
  readonly metadata: string | null | undefined;
  /** The trace that gets the record, too. */
  readonly trace: TurnTrace | undefined;
}

/** A recorder for a turn that begins now, or that continues on a new connection; undefined if turns are not recorded. */
export function createTurnRecorder(
  { deps, self, turns, movedTurns }: Pick<ProxyContext, "deps" | "self" | "turns" | "movedTurns">,
  { holder, runId }: Pick<IncomingRequest, "holder" | "runId">,
  turn: RecordedTurn,
): TurnRecorder | undefined {
  const add = turns();
  if (add === undefined) return undefined;
  const { clock } = deps;
  // A request that only prepares a connection comes before the turn that continues.
  const earlier = turn.kind === "prewarm" ? undefined : movedTurns.take(turn);
  let { startedMs, startedAt } = earlier ?? { startedMs: clock.now(), startedAt: clock.monotonic() };
  const switches: TurnSwitch[] = [...(earlier?.switches ?? [])];
  let last = earlier?.last;
  let attempts = earlier?.attempts ?? 0;
  let reason = earlier?.reason ?? "";
  let lease: Lease | undefined;
  let failureCode: string | undefined;
  let firstOutputMs: number | undefined;
  let result: TurnResult | undefined;
  let isOver = false;

  const sinceStart = () => Math.round(clock.monotonic() - startedAt);
  const recordOf = (outcome: TurnOutcome, code: string | undefined): TurnRecord => {
    const { kind, project } = turnMetadataOf(turn.metadata);
    const upstream = lease?.upstream;
    const isAccount = upstream?.kind === "account";
    return {
      startedMs,
      kind: turn.kind === "turn" ? (kind ?? "turn") : turn.kind,
      transport: turn.transport,
      outcome,
      code,
      accountId: isAccount ? upstream.id : undefined,
      accountAlias: isAccount ? upstream.label : undefined,
      proxy: isAccount ? self().name : upstream?.label,
      choice: lease?.choice.reason,
      session: turn.session,
      requestedModel: turn.model,
      servedModel: result?.model,
      tokens: result?.tokens,
      firstOutputMs,
      durationMs: sinceStart(),
      attempts,
      switches,
      client: holder?.name,
      run: runId,
      project,
    };
  };
  const end = (outcome: TurnOutcome, code?: string): void => {
    if (isOver) return;
    isOver = true;
    const record = recordOf(outcome, code);
    add(record);
    turn.trace?.turnEnded(record);
  };

  return {
    restart: () => {
      startedMs = clock.now();
      startedAt = clock.monotonic();
    },
    picked: (next) => {
      attempts++;
      const { id, label } = next.upstream;
      if (last !== undefined && last.id !== id) switches.push({ from: last.label, to: label, reason });
      last = { id, label };
      lease = next;
    },
    moves: (why) => {
      reason = why;
    },
    failure: ({ code, status }) => {
      failureCode = code ?? (status === undefined ? undefined : `http-${status}`);
    },
    output: () => {
      firstOutputMs ??= sinceStart();
    },
    lastEvent: (type, event) => {
      result = turnResultOf(event);
      const isIncomplete = type === "response.incomplete";
      end(isIncomplete ? "incomplete" : "completed", isIncomplete ? result.incompleteReason : undefined);
    },
    wholeResponse: (response) => {
      result = responseResultOf(response);
      end("completed");
    },
    moved: () => {
      if (!isOver && turn.kind !== "prewarm")
        movedTurns.keep(turn, { startedMs, startedAt, attempts, switches, last, reason });
      end("moved", failureCode);
    },
    end: (outcome, code) =>
      end(outcome, code ?? (outcome === "failed" || outcome === "cut" ? failureCode : undefined)),
  };
}

/** Why an upstream with this verdict did not serve a turn, as in the status. */
export function moveReasonOf(verdict: Verdict): string {
  if (verdict.kind === "limit") return "usage-limit";
  return "reason" in verdict ? verdict.reason : verdict.kind.replaceAll("_", "-");
}
