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
import type { TurnProgress } from "./moved-turns.ts";

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
  context: RecorderContext,
  incoming: RecordedRequest,
  turn: RecordedTurn,
): TurnRecorder | undefined {
  const add = context.turns();
  return add && new Recorder(context, incoming, turn, add);
}

/** Why an upstream with this verdict did not serve a turn, as in the status. */
export function moveReasonOf(verdict: Verdict): string {
  if (verdict.kind === "limit") return "usage-limit";
  return "reason" in verdict ? verdict.reason : verdict.kind.replaceAll("_", "-");
}

// --- internal ---

type RecorderContext = Pick<ProxyContext, "deps" | "self" | "turns" | "movedTurns">;
type RecordedRequest = Pick<IncomingRequest, "holder" | "runId">;

/** A class, because an object with a closure for each method takes several times as long to create. */
class Recorder implements TurnRecorder {
  readonly #context: RecorderContext;
  readonly #incoming: RecordedRequest;
  readonly #turn: RecordedTurn;
  readonly #add: (record: TurnRecord) => void;
  #startedMs: number;
  #startedAt: number;
  #switches: readonly TurnSwitch[] = NO_SWITCHES;
  #last: TurnProgress["last"];
  #attempts = 0;
  #reason = "";
  #lease: Lease | undefined;
  #failureCode: string | undefined;
  #firstOutputMs: number | undefined;
  #result: TurnResult | undefined;
  #isOver = false;

  constructor(
    context: RecorderContext,
    incoming: RecordedRequest,
    turn: RecordedTurn,
    add: (record: TurnRecord) => void,
  ) {
    this.#context = context;
    this.#incoming = incoming;
    this.#turn = turn;
    this.#add = add;
    incoming.holder?.limiter?.turnBegan();
    // A request that only prepares a connection comes before the turn that continues.
    const earlier = turn.kind === "prewarm" ? undefined : context.movedTurns.take(turn);
    const { clock } = context.deps;
    this.#startedMs = earlier?.startedMs ?? clock.now();
    this.#startedAt = earlier?.startedAt ?? clock.monotonic();
    if (earlier === undefined) return;
    this.#switches = earlier.switches;
    this.#last = earlier.last;
    this.#attempts = earlier.attempts;
    this.#reason = earlier.reason;
  }

  restart(): void {
    const { clock } = this.#context.deps;
    this.#startedMs = clock.now();
    this.#startedAt = clock.monotonic();
  }

  picked(next: Lease): void {
    this.#attempts++;
    const { upstream } = next;
    if (this.#last !== undefined && this.#last.id !== upstream.id)
      this.#switches = [
        ...this.#switches,
        { from: this.#last.label, to: upstream.label, reason: this.#reason },
      ];
    this.#last = upstream;
    this.#lease = next;
  }

  moves(why: string): void {
    this.#reason = why;
  }

  failure({
    code,
    status,
  }: {
    readonly code: string | undefined;
    readonly status: number | undefined;
  }): void {
    this.#failureCode = code ?? (status === undefined ? undefined : `http-${status}`);
  }

  output(): void {
    this.#firstOutputMs ??= this.#sinceStart();
  }

  lastEvent(type: string | undefined, event: string): void {
    this.#result = turnResultOf(event);
    const isIncomplete = type === "response.incomplete";
    this.#end(
      isIncomplete ? "incomplete" : "completed",
      isIncomplete ? this.#result.incompleteReason : undefined,
    );
  }

  wholeResponse(response: string): void {
    this.#result = responseResultOf(response);
    this.#end("completed", undefined);
  }

  moved(): void {
    if (!this.#isOver && this.#turn.kind !== "prewarm") {
      this.#incoming.holder?.limiter?.takeBack();
      this.#context.movedTurns.keep(this.#turn, {
        startedMs: this.#startedMs,
        startedAt: this.#startedAt,
        attempts: this.#attempts,
        switches: this.#switches,
        last: this.#last && { id: this.#last.id, label: this.#last.label },
        reason: this.#reason,
      });
    }
    this.#end("moved", this.#failureCode);
  }

  end(outcome: TurnOutcome, code?: string): void {
    const hasFailed = outcome === "failed" || outcome === "cut";
    this.#end(outcome, code ?? (hasFailed ? this.#failureCode : undefined));
  }

  #end(outcome: TurnOutcome, code: string | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const tokens = this.#result?.tokens;
    this.#incoming.holder?.limiter?.turnEnded(tokens === undefined ? 0 : tokens.input + tokens.output);
    if (tokens !== undefined) this.#lease?.used(tokens, this.#result?.model);
    const record = this.#recordOf(outcome, code);
    this.#add(record);
    this.#turn.trace?.turnEnded(record);
  }

  #sinceStart(): number {
    return Math.round(this.#context.deps.clock.monotonic() - this.#startedAt);
  }

  #recordOf(outcome: TurnOutcome, code: string | undefined): TurnRecord {
    const turn = this.#turn;
    const { kind, project } = turnMetadataOf(turn.metadata);
    // No account served a refused turn. Those that it tried are in its attempts and switches.
    const lease = outcome === "refused" ? undefined : this.#lease;
    const upstream = lease?.upstream;
    const isAccount = upstream?.kind === "account";
    return {
      startedMs: this.#startedMs,
      kind: turn.kind === "turn" ? (kind ?? "turn") : turn.kind,
      transport: turn.transport,
      outcome,
      code,
      accountId: isAccount ? upstream.id : undefined,
      accountAlias: isAccount ? upstream.label : undefined,
      proxy: isAccount ? this.#context.self().name : upstream?.label,
      choice: lease?.choice.reason,
      session: turn.session,
      requestedModel: turn.model,
      servedModel: this.#result?.model,
      tokens: this.#result?.tokens,
      firstOutputMs: this.#firstOutputMs,
      durationMs: this.#sinceStart(),
      attempts: this.#attempts,
      switches: this.#switches,
      client: this.#incoming.holder?.name,
      run: this.#incoming.runId,
      project,
    };
  }
}

const NO_SWITCHES: readonly TurnSwitch[] = [];
