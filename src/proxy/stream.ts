// A reply's body on its way to the client: pulled chunk by chunk (so a slow client slows the upstream), watched
// for what it says about limits, and released when it ends however it ends.

import { isCompaction, readTurnSignal } from "../core/turn.ts";
import { type Chunk, gatheringReader } from "../gathering-reader.ts";
import type { Lease } from "../upstream/leases.ts";
import { afterOutput } from "./after-output.ts";
import type { ProxyContext } from "./context.ts";
import type { HeldStream } from "./hold.ts";
import { poolLimitsEvent } from "./passes.ts";
import { blockBytes, blockData, blockName, encodeSse, joinBytes, type SseBlock } from "./sse.ts";
import { createIdleWatch } from "./timeouts.ts";

type Body = ReadableStream<Uint8Array<ArrayBuffer>>;

/** What happens to a body besides being passed on. */
export interface Passage {
  readonly context: Pick<ProxyContext, "deps" | "settings">;
  /** How long a silence is waited out that the settings would wait out for `configuredMs`. */
  readonly patienceMs: (configuredMs: number) => number;
  /** Called once when the body has ended, however it ended. */
  readonly release: () => void;
  /** Called before, when it broke off. */
  readonly broke?: () => void;
  /** Ends the upstream's request. */
  readonly abort: () => void;
}

/** A body that nobody looks into. */
export function passThrough(source: Body, passage: Passage): Body {
  const reader = gatheringReader(source);
  return pumped<Uint8Array<ArrayBuffer>>(
    reader.read,
    (bytes) => ({ bytes }),
    () => new Uint8Array(),
    passage,
  );
}

/** Returns the replacement for an event, or undefined to keep it. Throws to disconnect the client at this event. */
export type Edit = (block: SseBlock) => Uint8Array<ArrayBuffer> | undefined;

export const asItCame: Edit = () => undefined;

/** Events handled before other requests get a turn: 30 ms for events about limits, less for all others. */
const BATCH_EVENTS = 1_024;

/** A turn's stream after the commit barrier: first what was held, then the rest. */
export function turnStream(stream: HeldStream, edit: Edit, passage: Passage): Body {
  const { splitter, reader } = stream;
  let isOpen = false;
  const noted: Edit = (block) => {
    const name = blockName(block);
    if (name?.startsWith("response.")) isOpen = !ENDS.has(name);
    return edit(block);
  };
  let held: HeldStream["held"] = stream.held;
  let unread = stream.unread;
  let pending: Promise<Chunk> | undefined = stream.pendingRead;
  return pumped<readonly SseBlock[]>(
    async () => {
      const first = held;
      held = [];
      if (first.length > 0) return { done: false, value: first };
      for (;;) {
        const batch = nextOf(unread, BATCH_EVENTS);
        // A full batch: this chunk may contain thousands more, so let other requests run first.
        if (batch.length === BATCH_EVENTS) await new Promise((resolve) => setImmediate(resolve));
        if (batch.length > 0) return { done: false, value: batch };
        const reading = await (pending ?? reader.read());
        pending = undefined;
        // A stream that ends before its turn is broken, even if it was closed properly.
        if (reading.done && isOpen) passage.broke?.();
        if (reading.done) return reading;
        unread = splitter.push(reading.value);
      }
    },
    (blocks) => edited(blocks, noted),
    () => splitter.rest(),
    passage,
  );
}

/** Events after which nothing of the turn is missing. */
const ENDS: ReadonlySet<string> = new Set(["response.completed", "response.incomplete", "response.failed"]);

/**
 * Learns from the events of a turn, and tells the pool's limits in place of the account's. `credited`: the account has
 * been credited for its output, which else is done at the first of it.
 */
export function watching(
  context: ProxyContext,
  lease: Lease,
  { credited }: { readonly credited: boolean },
): Edit {
  let isCredited = credited;
  return (block) => {
    if (!isCredited && isOutput(block)) {
      isCredited = true;
      lease.settle({ kind: "ok" }, { turn: true });
    }
    return watch(context, lease, block);
  };
}

// --- internal ---

type Pulled<Value> =
  | { readonly done: false; readonly value: Value }
  | { readonly done: true; readonly value?: unknown };

/** What passes on, and why it is the last thing that does. */
interface Edited {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly cut?: unknown;
}

/**
 * Pulls until there is something to forward. Errors reach the client as a broken connection, never as a clean end. A
 * client that reads nothing for as long as an upstream may be silent counts as gone.
 */
function pumped<Value>(
  pull: () => Promise<Pulled<Value>>,
  edit: (value: Value) => Edited,
  rest: () => Uint8Array<ArrayBuffer>,
  { context, patienceMs, release, abort, broke }: Passage,
): Body {
  let cut: unknown;
  /** Set while the client has not yet read what was forwarded. */
  let untaken: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | undefined;
  const { idleMs } = context.settings().timeouts;
  const wait = createIdleWatch(
    context.deps.clock,
    () => (untaken === undefined ? patienceMs(idleMs) : idleMs),
    () => {
      // Aborting the request also ends a pending read.
      abort();
      if (untaken === undefined) return;
      finish();
      untaken.error(new Error(`the client read nothing for ${idleMs / 1000} s`));
    },
  );
  const finish = () => {
    wait.stop();
    release();
  };
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: async (controller) => {
      untaken = undefined;
      try {
        for (;;) {
          if (cut !== undefined) throw cut;
          wait.begin();
          const chunk = await pull();
          if (chunk.done) {
            const left = rest();
            if (left.byteLength > 0) controller.enqueue(left);
            finish();
            controller.close();
            return;
          }
          const { bytes, cut: why } = edit(chunk.value);
          cut = why;
          if (bytes.byteLength === 0) continue;
          untaken = controller;
          wait.begin();
          controller.enqueue(bytes);
          return;
        }
      } catch (error) {
        broke?.();
        finish();
        abort();
        controller.error(error);
      }
    },
    cancel: () => {
      finish();
      abort();
    },
  });
}

function watch(context: ProxyContext, lease: Lease, block: SseBlock): Uint8Array<ArrayBuffer> | undefined {
  const name = blockName(block);
  if (name === "response.output_item.done" && isCompaction(blockData(block) ?? "")) lease.hold();
  if (name?.startsWith("response.") && name !== "response.failed") return undefined;
  const data = blockData(block);
  if (data === undefined) return undefined;
  const signal = readTurnSignal(data, context.deps.clock.now());
  switch (signal.kind) {
    case "quota": {
      if (signal.evidence !== undefined) lease.learn(signal.evidence);
      const pooled = poolLimitsEvent(signal, context.pool.usage());
      return pooled === undefined ? undefined : encodeSse(name, pooled);
    }
    case "failed": {
      // Too late for another account: the client has seen output. The next request shall know, though.
      const verdict = lease.upstream.judge(signal.failure, "turn");
      lease.settle(verdict);
      if (verdict.kind !== "client") lease.broke();
      if (afterOutput(lease, verdict) === "pass") return undefined;
      throw new Error("the turn failed after its first output; cut, so that the client sends it again");
    }
    case "preamble":
    case "output":
    case "completed":
      return undefined;
    default:
      return signal satisfies never;
  }
}

function isOutput(block: SseBlock): boolean {
  const data = blockData(block);
  const kind = data === undefined ? "preamble" : readTurnSignal(data, 0).kind;
  return kind === "output" || kind === "completed";
}

/**
 * The blocks after `edit`, up to the one at which the client is to be disconnected. Adjacent unedited blocks stay one
 * piece.
 */
function edited(blocks: readonly SseBlock[], edit: Edit): Edited {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let run: { source: SseBlock["source"]; start: number; end: number } | undefined;
  const endRun = (): void => {
    if (run !== undefined) parts.push(blockBytes(run));
    run = undefined;
  };
  try {
    for (const block of blocks) {
      const changed = edit(block);
      if (changed !== undefined) {
        endRun();
        parts.push(changed);
      } else if (run?.source === block.source && run.end === block.start) run.end = block.end;
      else {
        endRun();
        run = { ...block };
      }
    }
  } catch (cut) {
    endRun();
    return { bytes: joinBytes(parts), cut };
  }
  endRun();
  return { bytes: joinBytes(parts) };
}

/** The next blocks of `blocks`, at most `most`. */
function nextOf(blocks: IterableIterator<SseBlock>, most: number): SseBlock[] {
  const taken: SseBlock[] = [];
  while (taken.length < most) {
    const next = blocks.next();
    if (next.done) break;
    taken.push(next.value);
  }
  return taken;
}
