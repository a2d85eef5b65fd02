// The stream of a pool by which its replicas send each other batches of records: one command sends and reads.

import { z } from "zod";
import type { Engine } from "./engine.ts";
import { identityOf } from "./pool-records.ts";
import type { Sealer } from "./sealing.ts";

/** A batch to send. It has the records after the number `after`, up to `last`. */
export interface OutgoingBatch {
  readonly after: number;
  readonly last: number;
  readonly count: number;
  readonly text: string;
  /** Add it even if the pool does not have the records before it. */
  readonly force: boolean;
}

/** A batch of another replica. */
export interface IncomingBatch {
  readonly source: string;
  readonly last: number;
  readonly count: number;
  /** Undefined if this version of codexlb, or this key, cannot open it. */
  readonly text: string | undefined;
}

/** What the engine answers to an exchange. */
export interface Exchanged {
  /** False if the batch was not added, because the last record of its source is not the one before the batch. */
  readonly added: boolean;
  /** The last record of the source before the batch; 0 if there was none. */
  readonly known: number;
  /** How many records all replicas have sent so far. */
  readonly sentRecords: string;
  /** The position after the last batch that was read. */
  readonly position: string;
  readonly hasMore: boolean;
  readonly batches: readonly IncomingBatch[];
}

export interface UsageStream {
  /**
   * Sends `batch` as records of `source`, and reads what others have sent after `position`. Undefined if the engine has
   * another pool or key, or none. Throws `cluster_unreachable` and `cluster_refused`.
   */
  exchange(
    source: string,
    batch: OutgoingBatch | undefined,
    position: string,
  ): Promise<Exchanged | undefined>;
}

export interface UsageStreamOptions {
  readonly engine: Engine;
  readonly sealer: Sealer;
  readonly poolId: string;
  /** The id of the replica. */
  readonly replica: string;
}

export function usageStream({ engine, sealer, poolId, replica }: UsageStreamOptions): UsageStream {
  return {
    exchange: async (source, batch, position) => {
      const { after = 0, last = 0, count = 0, text = "", force = false } = batch ?? {};
      const sealed = batch && sealer.seal({ name: nameOf(source), value: text }, last);
      const args = [
        identityOf(sealer, poolId),
        replica,
        source,
        after,
        last,
        count,
        sealed ?? "",
        force ? 1 : 0,
        position,
        AT_ONCE,
      ];
      const answer = Answer.parse(await engine.run("exchange", ...args));
      if (answer === null) return undefined;
      const [added, known, sentRecords, next, more, flat] = answer;
      const batches: IncomingBatch[] = [];
      for (let index = 0; index < flat.length; index += FIELDS) {
        const [from = "", end, size, closed = ""] = flat.slice(index, index + FIELDS);
        const opened = sealer.open(sealer.tagOf(nameOf(from)), Number(end), closed);
        const content = opened.kind === "fact" ? opened.fact.value : null;
        batches.push({
          source: from,
          last: Number(end),
          count: Number(size),
          text: content ?? undefined,
        });
      }
      return {
        added: added === 1,
        known,
        sentRecords: String(sentRecords),
        position: next,
        hasMore: more === 1,
        batches,
      };
    },
  };
}

// --- internal ---

/** The most batches that one command reads. */
const AT_ONCE = 100;
/** Values of each batch in the answer. */
const FIELDS = 4;

const Answer = z
  .tuple([z.number(), z.number(), z.number(), z.string(), z.number(), z.array(z.string())])
  .nullable();

const nameOf = (source: string) => `usage/${source}`;
