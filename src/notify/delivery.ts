// Sends what is due through one channel. A channel that fails is tried again until it works: only the difference to
// what was last reported is sent, so nothing piles up meanwhile.

import { advised } from "../advice.ts";
import { chance, prolonged } from "../core/jitter.ts";
import { messageFor } from "../core/notify/message.ts";
import { type Notice, type NoticeKind, type NoticeView, noticeOf } from "../core/notify/notice.ts";
import { dueTroubles, reportedAfter, type Standing } from "../core/notify/pending.ts";
import type { Trouble } from "../core/notify/trouble.ts";
import type { Deps } from "../deps.ts";
import { messageOf } from "../errors.ts";
import type { EventLog } from "../state/events.ts";
import type { Channel } from "./channel.ts";
import type { ChannelState } from "./notify-file.ts";

/** The troubles of the pool now. */
export interface Observation {
  readonly troubles: readonly Trouble[];
  readonly standings: ReadonlyMap<string, Standing>;
}

export interface Delivery {
  /** Sends what is due, in the background, unless a message is being sent or the channel has just failed. */
  consider(observation: Observation): void;
  /** Resolves when no message is being sent. */
  idle(): Promise<void>;
}

export interface DeliveryContext {
  readonly deps: Pick<Deps, "clock" | "random" | "log">;
  readonly events: EventLog;
  /** The channel according to the current settings. */
  readonly channel: () => Channel;
  readonly state: () => ChannelState;
  /** Stores the state durably. */
  readonly save: (state: ChannelState) => void;
  /** Whether notices of this kind are sent. */
  readonly isWanted: (kind: NoticeKind) => boolean;
  readonly proxyName: () => string;
  readonly rootFlag: NoticeView["rootFlag"];
  /** Aborted when the proxy shuts down. */
  readonly signal: AbortSignal;
}

/** The delay after the first failure; it doubles with each further one. */
const FIRST_RETRY_MS = 2_000;
const LONGEST_RETRY_MS = 10 * 60_000;

export function createDelivery(context: DeliveryContext): Delivery {
  const { deps, events, state, save, signal } = context;
  const { clock, random, log } = deps;
  let sending: Promise<void> | undefined;
  let failures = 0;
  let retryMs = 0;

  const succeeded = (
    channel: Channel,
    observation: Observation,
    due: readonly Trouble[],
    notices: number,
  ): void => {
    const { reported, failure } = state();
    failures = 0;
    // The message counts as sent only now, so a killed proxy may send it twice, but never loses it.
    const view = { nowMs: clock.now(), isMessage: true };
    save({ reported: reportedAfter(reported, due, observation.troubles, view), failure: undefined });
    events.append("notify.sent", { [NAME_FIELD]: channel.name, notices });
    if (failure !== undefined) log.info(`notifications by ${channel.name} work again`);
  };

  const failed = (channel: Channel, error: string): void => {
    const before = state();
    retryMs = clock.monotonic() + retryDelayMs(failures, chance(random));
    failures++;
    if (before.failure !== undefined) return;
    events.append("notify.failed", { [NAME_FIELD]: channel.name, error });
    log.warn(
      `notifications by ${channel.name} fail: ${error}; codexlb keeps trying, see: ${advised("doctor")}`,
    );
    save({ ...before, failure: { sinceMs: clock.now(), error } });
  };

  const send = async (observation: Observation, due: readonly Trouble[], notices: readonly Notice[]) => {
    const channel = context.channel();
    const message = messageFor(notices, context.proxyName(), clock.now());
    const error = await channel.send(message, signal).catch(messageOf);
    if (error === undefined) succeeded(channel, observation, due, notices.length);
    else if (!signal.aborted) failed(channel, error);
  };

  return {
    consider: (observation) => {
      if (sending !== undefined || clock.monotonic() < retryMs) return;
      const view = { nowMs: clock.now(), monotonicMs: clock.monotonic() };
      const { reported, failure } = state();
      const due = dueTroubles(observation.troubles, observation.standings, reported, view);
      if (due.length === 0) return;
      const notices = due
        .map((trouble) => noticeOf(trouble, { nowMs: view.nowMs, rootFlag: context.rootFlag }))
        .filter((notice) => notice !== undefined && context.isWanted(notice.kind)) as Notice[];
      if (notices.length > 0) {
        sending = send(observation, due, notices).finally(() => {
          sending = undefined;
        });
        return;
      }
      const silent = { nowMs: view.nowMs, isMessage: false };
      save({ reported: reportedAfter(reported, due, observation.troubles, silent), failure });
    },
    idle: async () => sending,
  };
}

// --- internal ---

/** The field of an event that names the channel. It keeps its old name, because scripts read the log. */
const NAME_FIELD = "way";

function retryDelayMs(failures: number, part: number): number {
  return prolonged(Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures, 20)), part);
}
