// A reply's body on its way to the client: pulled chunk by chunk (so a slow client slows the upstream), watched
// for what it says about limits, and released when it ends however it ends.

import { readTurnSignal } from "../core/turn.ts";
import { judge } from "../core/verdict.ts";
import type { Lease } from "../upstream/pool.ts";
import { type ProxyContext, usageNow } from "./context.ts";
import type { Chunk, HeldStream } from "./hold.ts";
import { poolRateLimitsEvent } from "./passes.ts";
import { concat, encodeSse, type SseBlock } from "./sse.ts";

type Body = ReadableStream<Uint8Array<ArrayBuffer>>;

/** A body that nobody looks into. `abort` ends the upstream's request when the client goes away. */
export function passThrough(source: Body, release: () => void, abort: () => void): Body {
  const reader = source.getReader();
  return pumped(
    async () => reader.read(),
    (chunk) => chunk,
    () => new Uint8Array(),
    release,
    abort,
  );
}

/** What passes on in the place of one event. */
export type Edit = (block: SseBlock) => Uint8Array<ArrayBuffer>;

export const asItCame: Edit = (block) => block.bytes;

/** A turn's stream after the commit barrier: first what was held, then the rest. */
export function turnStream(stream: HeldStream, edit: Edit, release: () => void, abort: () => void): Body {
  const { splitter, reader } = stream;
  let held: Uint8Array<ArrayBuffer> | undefined = joined(stream.held.map(edit));
  let pending: Promise<Chunk> | undefined = stream.pendingRead;
  return pumped(
    async () => {
      const first = held;
      held = undefined;
      if (first !== undefined && first.byteLength > 0) return { done: false, value: first, edited: true };
      const reading = pending ?? reader.read();
      pending = undefined;
      return reading;
    },
    (chunk) => joined(splitter.push(chunk).map(edit)),
    () => splitter.rest(),
    release,
    abort,
  );
}

/** Learns from the events of a served turn, and tells the pool's limits in place of the account's. */
export function watching(context: ProxyContext, lease: Lease): Edit {
  return (block) => watch(context, lease, block);
}

// --- internal ---

/** A chunk; `edited`: it went through the edits already. */
type Pulled = Chunk & { readonly edited?: boolean };

/** Pulls until there is something to pass on. Errors reach the client as a broken connection, never as a clean end. */
function pumped(
  pull: () => Promise<Pulled>,
  edit: (chunk: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>,
  rest: () => Uint8Array<ArrayBuffer>,
  release: () => void,
  abort: () => void,
): Body {
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: async (controller) => {
      try {
        for (;;) {
          const chunk = await pull();
          if (chunk.done) {
            const left = rest();
            if (left.byteLength > 0) controller.enqueue(left);
            release();
            controller.close();
            return;
          }
          const bytes = chunk.edited === true ? chunk.value : edit(chunk.value);
          if (bytes.byteLength === 0) continue;
          controller.enqueue(bytes);
          return;
        }
      } catch (error) {
        release();
        controller.error(error);
      }
    },
    cancel: () => {
      release();
      abort();
    },
  });
}

function watch(context: ProxyContext, lease: Lease, block: SseBlock): Uint8Array<ArrayBuffer> {
  const name = block.name();
  if (name?.startsWith("response.") && name !== "response.failed") return block.bytes;
  const data = block.data();
  if (data === undefined) return block.bytes;
  const signal = readTurnSignal(data, context.deps.clock.now());
  switch (signal.kind) {
    case "quota": {
      if (signal.evidence !== undefined) lease.learn(signal.evidence);
      const pooled = poolRateLimitsEvent(signal.event, usageNow(context));
      return pooled === undefined ? block.bytes : encodeSse("codex.rate_limits", pooled);
    }
    case "failed":
      // Too late for another account: the client has seen output. The next request shall know, though.
      lease.settle(judge(signal.failure, "turn"));
      return block.bytes;
    case "preamble":
    case "output":
    case "completed":
      return block.bytes;
    default:
      return signal satisfies never;
  }
}

function joined(parts: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const [first, ...others] = parts;
  if (first === undefined) return new Uint8Array();
  return others.reduce<Uint8Array<ArrayBuffer>>((all, part) => concat(all, part), first);
}
