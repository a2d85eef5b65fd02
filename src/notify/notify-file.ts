// ROOT/notify.json: what was already reported through each channel, so that a restart neither loses nor repeats a
// notification.

import { z } from "zod";
import { parseJson } from "../core/json.ts";
import { NOTHING_REPORTED, type Reported } from "../core/notify/pending.ts";
import type { Log } from "../deps.ts";
import { messageOf } from "../errors.ts";
import { readTextIfPresent, writeFileAtomic } from "../state/atomic-file.ts";
import type { ChannelName } from "./channel.ts";

/** The current failure of a channel. */
export interface ChannelFailure {
  /** Since when, Unix ms. */
  readonly sinceMs: number;
  readonly error: string;
}

export interface ChannelState {
  readonly reported: Reported;
  readonly failure: ChannelFailure | undefined;
}

export interface NotifyState {
  readonly channels: ReadonlyMap<ChannelName, ChannelState>;
  /** When a run of Codex last bypassed the proxy, Unix ms. */
  readonly bypassedMs: number | undefined;
}

export const NEW_CHANNEL: ChannelState = { reported: NOTHING_REPORTED, failure: undefined };

/** Reads the file; without a usable one, nothing was reported. Warns about a damaged file, which will be replaced. */
export function readNotifyState(path: string, log: Pick<Log, "warn">): NotifyState {
  let problem: string;
  try {
    const text = readTextIfPresent(path, LONGEST_BYTES);
    if (text === undefined) return NOTHING;
    const parsed = File.safeParse(parseJson(text));
    if (parsed.success) return decoded(parsed.data);
    problem = `${path} is damaged`;
  } catch (error) {
    problem = messageOf(error);
  }
  log.warn(`${problem}; problems that were already reported are reported again`);
  return NOTHING;
}

/** Replaces the file. Throws `file_unusable`. */
export function writeNotifyState(path: string, { channels, bypassedMs }: NotifyState): void {
  const encoded = [...channels].map(([name, { reported, failure }]) => [
    name,
    {
      last_sent_at_ms: reported.lastSentMs,
      ...(failure === undefined ? {} : { failure: { since_ms: failure.sinceMs, error: failure.error } }),
      reported: Object.fromEntries(
        [...reported.troubles].map(([key, { present, atMs }]) => [key, { present, at_ms: atMs }]),
      ),
    },
  ]);
  const file = { version: 1, bypassed_at_ms: bypassedMs, ways: Object.fromEntries(encoded) };
  writeFileAtomic(path, `${JSON.stringify(file, null, 2)}\n`);
}

// --- internal ---

const NOTHING: NotifyState = { channels: new Map(), bypassedMs: undefined };

/** A thousand accounts take 200 KB. */
const LONGEST_BYTES = 4 * 1024 * 1024;

const WayFile = z.object({
  last_sent_at_ms: z.number(),
  failure: z.object({ since_ms: z.number(), error: z.string() }).optional(),
  reported: z.record(z.string(), z.object({ present: z.boolean(), at_ms: z.number() })),
});

const File = z.object({
  version: z.literal(1),
  bypassed_at_ms: z.number().optional(),
  /** The channels, under the name that files of earlier versions use. */
  ways: z.object({
    command: WayFile.optional(),
    webhook: WayFile.optional(),
    desktop: WayFile.optional(),
  }),
});

function decoded({ ways, bypassed_at_ms: bypassedMs }: z.output<typeof File>): NotifyState {
  const all = new Map<ChannelName, ChannelState>();
  for (const name of ["command", "webhook", "desktop"] as const) {
    const channel = ways[name];
    if (channel === undefined) continue;
    const troubles = new Map(
      Object.entries(channel.reported).map(([key, { present, at_ms: atMs }]) => [key, { present, atMs }]),
    );
    const failure = channel.failure && { sinceMs: channel.failure.since_ms, error: channel.failure.error };
    all.set(name, { reported: { troubles, lastSentMs: channel.last_sent_at_ms }, failure });
  }
  return { channels: all, bypassedMs };
}
