// Watches the pool and sends notifications. It checks the pool once a second, in the background and only while a
// channel is configured, so no request waits for it.

import { type Reported, reportedElsewhere, type Standing, standingsAfter } from "../core/notify/pending.ts";
import { troublesOf, type WatchedPool } from "../core/notify/trouble.ts";
import { REPORT_BUG } from "../core/project-pages.ts";
import type { Deps } from "../deps.ts";
import { messageOf } from "../errors.ts";
import type { EventLog } from "../state/events.ts";
import type { RootOwner } from "../state/root-owner.ts";
import type { Config } from "../state/settings.ts";
import type { Channel, ChannelName } from "./channel.ts";
import { type ChannelTest, testChannels } from "./channels.ts";
import { createDelivery, type Delivery } from "./delivery.ts";
import {
  type ChannelState,
  NEW_CHANNEL,
  type NotifyState,
  readNotifyState,
  writeNotifyState,
} from "./notify-file.ts";
import { reportJob, type SharedReports } from "./shared-reports.ts";

export interface Notifier {
  start(): void;
  /** Stops. Waits a moment for messages that are being sent. */
  stop(): Promise<void>;
  /** Notes that a run of Codex bypassed the proxy. */
  noteBypass(): void;
  /** Sends a test message once through every channel of the current settings. */
  test(): Promise<ChannelTest[]>;
}

export interface NotifierContext {
  readonly deps: Pick<Deps, "clock" | "random" | "log">;
  readonly events: EventLog;
  /** Path of notify.json. */
  readonly path: string;
  /** Owns the root that contains the file. */
  readonly owner: Pick<RootOwner, "isOurs">;
  readonly settings: () => Config;
  /** The channels that the settings name. */
  readonly channels: (settings: Pick<Config, "notify">) => readonly Channel[];
  readonly pool: () => WatchedPool;
  readonly shared: SharedReports;
  /** As in `NoticeView`. */
  readonly rootFlag: string;
}

const LOOK_MS = 1_000;
/** How long a shutdown waits for messages that are being sent. */
const LAST_MS = 2_000;
/** Bypasses within this time of the last one are not written again. */
const SAME_BYPASS_MS = 60_000;

export function createNotifier(context: NotifierContext): Notifier {
  const { deps, events, path, owner, settings, pool, shared } = context;
  const { clock, log } = deps;
  const stopping = new AbortController();
  const deliveries = new Map<ChannelName, Delivery>();
  let state: NotifyState = readNotifyState(path, log);
  let standings: ReadonlyMap<string, Standing> = new Map();
  let known: { readonly notify: Config["notify"]; readonly channels: readonly Channel[] } | undefined;
  let hasWarned = false;
  let hasFailed = false;
  let cancel = () => {};

  const save = (next: NotifyState): void => {
    state = next;
    if (!owner.isOurs()) return;
    try {
      writeNotifyState(path, state);
      hasWarned = false;
    } catch (error) {
      if (!hasWarned) log.warn(`${messageOf(error)}; a restart may repeat notifications`);
      hasWarned = true;
    }
  };

  const channelsNow = (): readonly Channel[] => {
    const { notify } = settings();
    if (known?.notify !== notify) known = { notify, channels: context.channels({ notify }) };
    return known.channels;
  };

  const jobOf = (name: ChannelName) => reportJob(name, settings().notify);

  /** Another replica has reported through a channel of `job`. */
  const takeReported = (job: string, reported: Reported): void => {
    for (const { name } of channelsNow()) {
      if (jobOf(name) !== job) continue;
      const before = state.channels.get(name) ?? NEW_CHANNEL;
      const after = { ...before, reported: reportedElsewhere(before.reported, reported) };
      save({ ...state, channels: withChannel(state, name, after) });
    }
  };

  const deliveryOf = ({ name }: Channel): Delivery => {
    const delivery =
      deliveries.get(name) ??
      createDelivery({
        deps,
        events,
        channel: () => channelsNow().find((channel) => channel.name === name) ?? ABSENT,
        state: () => state.channels.get(name) ?? NEW_CHANNEL,
        save: (channel) => save({ ...state, channels: withChannel(state, name, channel) }),
        isWanted: (kind) => {
          const wanted = settings().notify.events;
          return wanted.length === 0 || wanted.includes(kind);
        },
        isReporter: () => shared.isReporter(jobOf(name)),
        reportedPool: (reported) => shared.send(jobOf(name), reported),
        giveBack: () => shared.giveBack(jobOf(name)),
        proxyName: () => settings().proxy.name,
        rootFlag: context.rootFlag,
        signal: stopping.signal,
      });
    deliveries.set(name, delivery);
    return delivery;
  };

  /** A channel that was removed begins without any reports if it is added again. */
  const forgetRemoved = (channels: readonly Channel[]): void => {
    const isKept = (name: ChannelName) => channels.some((channel) => channel.name === name);
    if ([...state.channels.keys()].every(isKept)) return;
    save({ ...state, channels: new Map([...state.channels].filter(([name]) => isKept(name))) });
  };

  const look = (): void => {
    cancel = clock.after(LOOK_MS, look);
    try {
      examine();
    } catch (error) {
      // A fault here must not end the proxy.
      if (!hasFailed) log.warn(`notifications: ${messageOf(error)}; ${REPORT_BUG}`);
      hasFailed = true;
    }
  };

  const examine = (): void => {
    const channels = channelsNow();
    forgetRemoved(channels);
    if (channels.length === 0) {
      standings = new Map();
      return;
    }
    const troubles = troublesOf(pool(), {
      nowMs: clock.now(),
      poolBelowPercent: settings().notify.pool_below,
      bypassedMs: state.bypassedMs,
    });
    standings = standingsAfter(standings, troubles, clock.monotonic());
    for (const channel of channels) deliveryOf(channel).consider({ troubles, standings });
    shared.keep(channels.map(({ name }) => jobOf(name)).filter((job) => job !== undefined));
  };

  shared.watch(takeReported);
  return {
    start: () => {
      cancel = clock.after(LOOK_MS, look);
    },
    stop: async () => {
      cancel();
      const idle = Promise.all([...deliveries.values()].map((delivery) => delivery.idle()));
      await Promise.race([idle, new Promise<void>((resolve) => void clock.after(LAST_MS, resolve))]);
      stopping.abort();
      await idle;
    },
    noteBypass: () => {
      const nowMs = clock.now();
      if (state.bypassedMs !== undefined && Math.abs(nowMs - state.bypassedMs) < SAME_BYPASS_MS) return;
      events.append("run.bypassed");
      save({ ...state, bypassedMs: nowMs });
    },
    test: () => testChannels(channelsNow(), settings().proxy.name, clock),
  };
}

// --- internal ---

/** Stands in for a channel that was removed from the settings while its message was prepared. */
const ABSENT: Channel = { name: "command", send: async () => "it was removed from the settings" };

function withChannel(
  { channels }: NotifyState,
  name: ChannelName,
  channel: ChannelState,
): NotifyState["channels"] {
  return new Map([...channels, [name, channel]]);
}
