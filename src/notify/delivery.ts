// Sends what is due through one channel. A channel that fails is tried again until it works: only the difference to
// what was last reported is sent, so nothing piles up meanwhile.

import { advised } from "../advice.ts";
import { chance, prolonged } from "../core/jitter.ts";
import { messageFor } from "../core/notify/message.ts";
import { type Notice, type NoticeKind, type NoticeView, noticeOf } from "../core/notify/notice.ts";
import {
  dueTroubles,
  type Reported,
  reportedAfter,
  reportedOfPool,
  type Standing,
} from "../core/notify/pending.ts";
import { isOwnTrouble, type Trouble } from "../core/notify/trouble.ts";
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
  /** Whether this process reports the pool's troubles through the channel. If not, it reports only its own. */
  readonly isReporter: () => Promise<boolean>;
  /** Called after this process has reported troubles of the pool, with everything that was reported about them. */
  readonly reportedPool: (reported: Reported) => void;
  /** Called after a message could not be sent. */
  readonly giveBack: () => void;
  readonly proxyName: () => string;
  readonly rootFlag: NoticeView["rootFlag"];
  /** Aborted when the proxy shuts down. */
  readonly signal: AbortSignal;
}

/** The delay after the first failure; it doubles with each further one. */
const FIRST_RETRY_MS = 2_000;
const LONGEST_RETRY_MS = 10 * 60_000;
/** Pause before a replica asks again whether it is the reporter. By then the reporter has usually sent the message. */
const ASK_AGAIN_MS = 5_000;

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
    const after = reportedAfter(reported, due, observation.troubles, view);
    save({ reported: after, failure: undefined });
    if (!due.every(isOwnTrouble)) context.reportedPool(reportedOfPool(after));
    events.append("notify.sent", { [NAME_FIELD]: channel.name, notices });
    if (failure !== undefined) log.info(`notifications by ${channel.name} work again`);
  };

  const failed = (channel: Channel, error: string): void => {
    const before = state();
    retryMs = clock.monotonic() + retryDelayMs(failures, chance(random));
    failures++;
    context.giveBack();
    if (before.failure !== undefined) return;
    events.append("notify.failed", { [NAME_FIELD]: channel.name, error });
    log.warn(
      `notifications by ${channel.name} fail: ${error}; codexlb keeps trying, see: ${advised("doctor")}`,
    );
    save({ ...before, failure: { sinceMs: clock.now(), error } });
  };

  const dueOf = ({ troubles, standings }: Observation): readonly Trouble[] => {
    const view = { nowMs: clock.now(), monotonicMs: clock.monotonic() };
    return dueTroubles(troubles, standings, state().reported, view);
  };

  const wantedOf = (due: readonly Trouble[]): readonly Notice[] =>
    due
      .map((trouble) => noticeOf(trouble, { nowMs: clock.now(), rootFlag: context.rootFlag }))
      .filter((notice) => notice !== undefined)
      .filter(({ kind }) => context.isWanted(kind));

  const send = async (observation: Observation): Promise<void> => {
    const isReporter = await context.isReporter();
    if (!isReporter) retryMs = clock.monotonic() + ASK_AGAIN_MS;
    const { troubles, standings } = observation;
    // Another replica may have reported some of them in the meantime.
    const due = dueOf({ troubles: isReporter ? troubles : troubles.filter(isOwnTrouble), standings });
    const notices = wantedOf(due);
    if (notices.length === 0) return;
    const channel = context.channel();
    const message = messageFor(notices, context.proxyName(), clock.now());
    const error = await channel.send(message, signal).catch(messageOf);
    if (error === undefined) succeeded(channel, observation, due, notices.length);
    else if (!signal.aborted) failed(channel, error);
  };

  return {
    consider: (observation) => {
      if (sending !== undefined || clock.monotonic() < retryMs) return;
      const due = dueOf(observation);
      if (due.length === 0) return;
      if (wantedOf(due).length > 0) {
        sending = send(observation).finally(() => {
          sending = undefined;
        });
        return;
      }
      const { reported, failure } = state();
      const silent = { nowMs: clock.now(), isMessage: false };
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
