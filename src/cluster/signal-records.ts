// The signals of a pool in the engine: sends, reads and parses them (signal-scripts.ts has the formats).

import { z } from "zod";
import type { Engine } from "./engine.ts";
import { signalChannelOf } from "./scripts.ts";

/** How far the signals of a pool have got. */
export interface SignalPosition {
  /** Another one after the engine has lost its data; "0" before the first signal. */
  readonly epoch: string;
  /** How many signals were written. */
  readonly revision: number;
}

/** A signal as the engine has it. */
export interface SignalRecord {
  readonly tag: string;
  /** The time of its source, engine time in ms. */
  readonly atMs: number;
  /** The end of its lifetime, engine time in ms. */
  readonly endsMs: number;
  /** The replica that sent it. */
  readonly replica: string;
  readonly sealed: string;
}

export interface NewSignal extends Omit<SignalRecord, "replica" | "endsMs"> {
  readonly lifetimeMs: number;
}

/** What one replica has sent at once. */
export interface SignalMessage extends SignalPosition {
  /** How many revisions it contains; the last one is `revision`. */
  readonly count: number;
  readonly records: readonly SignalRecord[];
}

/** The answer to the question what was sent after a revision. */
export interface SignalPage extends SignalPosition {
  /** The revision up to which the records are complete. Less than `revision` if there are more. */
  readonly completeTo: number;
  readonly records: readonly SignalRecord[];
}

/** The methods that return a promise throw `cluster_unreachable` and `cluster_refused`. */
export interface SignalRecords {
  send(replica: string, signals: readonly NewSignal[]): Promise<void>;
  after(revision: number): Promise<SignalPage>;
  find(tag: string): Promise<SignalRecord | undefined>;
  /** Parses what arrives on the channel; undefined if a later version of codexlb has sent it. */
  parse(message: string): SignalMessage | undefined;
}

export function signalRecords(engine: Engine, pool: string): SignalRecords {
  const channel = signalChannelOf(pool);
  return {
    send: async (replica, signals) => {
      const args = signals.flatMap(({ tag, atMs, lifetimeMs, sealed }) => [tag, atMs, lifetimeMs, sealed]);
      await engine.run("send_signals", replica, channel, ...args);
    },
    after: async (from) => {
      const answer = z.array(z.string()).parse(await engine.run("signals_after", from));
      const [epoch = "0", revision, completeTo, ...lines] = answer;
      return { epoch, revision: Number(revision), completeTo: Number(completeTo), records: recordsOf(lines) };
    },
    find: async (tag) => recordsOf([z.string().parse(await engine.run("signal_of", tag))])[0],
    parse: (message) => {
      const [head = "", ...lines] = message.split("\n");
      const [, epoch, revision, count] = HEAD.exec(head) ?? [];
      if (epoch === undefined) return undefined;
      return { epoch, revision: Number(revision), count: Number(count), records: recordsOf(lines) };
    },
  };
}

// --- internal ---

const HEAD = /^(\d+) (\d+) (\d+)$/;
const LINE = /^(\S+) \d+ (\d+) (\d+) (\S+) (\S+)$/;

function recordsOf(lines: readonly string[]): SignalRecord[] {
  return lines.flatMap((line) => {
    const [, tag, atMs, endsMs, replica, sealed] = LINE.exec(line) ?? [];
    return tag === undefined || replica === undefined || sealed === undefined
      ? []
      : [{ tag, atMs: Number(atMs), endsMs: Number(endsMs), replica, sealed }];
  });
}
