// One account in full: its state, the sessions bound to it, and its latest events.

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { AccountDetails } from "../auth/account-details.ts";
import { readClaims } from "../auth/claims.ts";
import { readCredentials } from "../auth/homes.ts";
import { identityOf, workspacesToShow } from "../auth/identity.ts";
import { OPTION_NAMES } from "../core/account-options.ts";
import { candidateOf } from "../core/availability.ts";
import { isRepetition, isTransportDetail } from "../core/event-filter.ts";
import type { Forecasts } from "../core/forecast/status-forecast.ts";
import { healthAt } from "../core/health.ts";
import { logEventIn } from "../core/log-event.ts";
import { levelOf } from "../core/log-level.ts";
import type { OptionSource } from "../core/option-words.ts";
import type { PoolFacts } from "../core/pool-facts.ts";
import type { QuotaView } from "../core/quota.ts";
import { statusDocument } from "../core/status.ts";
import { AccountAnswer } from "../core/status-schema.ts";
import { withoutPassword } from "../network/outbound-proxy.ts";
import { type AccountRecord, optionsOf } from "../state/account-record.ts";
import type { EventLog } from "../state/events.ts";
import type { Layout } from "../state/layout.ts";
import { readLogLines } from "../state/log-parts.ts";
import { optionKey } from "../state/option-settings.ts";
import type { Config } from "../state/settings.ts";
import type { StoreState } from "../state/store-state.ts";
import { capacityOfAccount } from "./account-capacity.ts";
import { accountFacts } from "./account-facts.ts";
import type { Affinity } from "./affinity.ts";
import { poolSettings } from "./pool-settings.ts";

export interface DetailsContext {
  readonly layout: Pick<Layout, "events">;
  readonly affinity: Pick<Affinity, "sessionsOf">;
  readonly facts: () => PoolFacts;
  readonly view: () => QuotaView;
  /** The forecasts of a running proxy. */
  readonly forecasts?: Forecasts | undefined;
  /** The event log, if this process writes it. */
  readonly events?: Pick<EventLog, "flush">;
  /** Where config.toml sets the option with this key (`optionKey`); undefined if it does not. */
  readonly fileSource: (key: string) => string | undefined;
}

export function detailsOf(
  { layout, affinity, facts, view, forecasts, events, fileSource }: DetailsContext,
  record: AccountRecord,
): AccountDetails {
  const pool = facts();
  const sessions = affinity.sessionsOf(record.id);
  const own = pool.accounts
    .filter(({ id }) => id === record.id)
    .map((account) => ({ ...account, sessions: sessions.length }));
  const { accounts, switches = [] } = statusDocument(
    { ...pool, accounts: own, children: [] },
    view(),
    forecasts,
  );
  const settingsFile = join(record.homeDir, "config.toml");
  // The details include every event before the request.
  events?.flush();
  return {
    status: AccountAnswer.parse(accounts[0]),
    home: record.homeDir,
    ...(record.chatgptAccountId === undefined ? {} : { chatgpt_account_id: record.chatgptAccountId }),
    ...(record.outboundProxy === undefined ? {} : { outbound_proxy: withoutPassword(record.outboundProxy) }),
    ...(existsSync(settingsFile) ? { settings_file: settingsFile } : {}),
    ...loginOf(record),
    options: optionSources(record, fileSource),
    switches: switches.filter(({ from, to }) => [from, to].includes(record.alias)),
    sessions: { count: sessions.length, latest: sessions.slice(0, LATEST_SESSIONS) },
    events: eventsOf(layout.events, record.id),
  };
}

/** The facts about the accounts of a root on which no proxy runs, without their sessions. */
export function factsAtRest(state: StoreState, config: Config, view: QuotaView): PoolFacts {
  const workspaces = workspacesToShow(state.accounts.map(identityOf));
  const { policy, fileOptions } = poolSettings(config);
  const { weights, useCredits, spendFloors } = policy;
  const capacityView = {
    ...view,
    weights,
    useCredits,
    spendFloors,
    fileOptions,
    model: undefined,
    refusedBy: () => undefined,
  };
  return {
    self: { name: config.proxy.name, id: "" },
    policy,
    accounts: state.accounts.map((record) => {
      const options = optionsOf(record, fileOptions);
      const capacity = capacityOfAccount(record, capacityView, options);
      const candidate = candidateOf(record, capacity, healthAt(record.health, view.nowMs), options);
      return accountFacts(record, candidate, workspaces.get(record.alias), 0);
    }),
    children: [],
    activeId: state.activeId,
    pinnedId: state.pinnedId,
    next: undefined,
    isFull: false,
    messageCounter: state.messageCounter,
    lastRotationMs: state.lastRotationMs,
    switches: [],
  };
}

/** The source of each option that is set for the account. */
export function optionSources(
  { alias, options }: Pick<AccountRecord, "alias" | "options">,
  fileSource: DetailsContext["fileSource"],
): OptionSource[] {
  return Object.keys(OPTION_NAMES).flatMap((key) => {
    const field = key as keyof typeof OPTION_NAMES;
    const own = options[OPTION_NAMES[field]] === undefined ? undefined : "codexlb account set";
    const source = fileSource(optionKey(alias, field)) ?? own;
    return source === undefined ? [] : [{ name: field, source }];
  });
}

// --- internal ---

const LATEST_SESSIONS = 5;
const LATEST_EVENTS = 10;
/** How many of the last lines are searched for events. */
const LINES = 2_000;

/** The times of the login; nothing if it cannot be read. */
function loginOf({ homeDir }: AccountRecord): Pick<AccountDetails, "login"> {
  try {
    const { idToken = "", refreshToken, refreshedMs, expiresMs, apiBaseUrl } = readCredentials(homeDir);
    if (apiBaseUrl !== undefined) return {}; // a key has no times
    const signedInS = readClaims(idToken)?.authTime;
    return {
      login: {
        ...(signedInS === undefined ? {} : { signed_in_at_ms: signedInS * 1000 }),
        ...(refreshedMs === undefined ? {} : { refreshed_at_ms: refreshedMs }),
        ...(expiresMs === undefined ? {} : { expires_at_ms: expiresMs }),
        renewable: refreshToken !== undefined,
      },
    };
  } catch {
    return {}; // its state says so
  }
}

function eventsOf(path: string, accountId: string): AccountDetails["events"] {
  const lines = readLogLines(path, { tail: LINES, limit: LINES }).text.split("\n");
  return lines
    .flatMap((line) => {
      // Most lines concern other accounts and need no parsing.
      if (!line.includes(accountId)) return [];
      const event = logEventIn(line);
      // Ordinary requests would displace the switches and failures.
      return event?.fields.account_id === accountId && levelOf(event) !== "debug" && !isTransportDetail(event)
        ? [{ ...event, fields: { ...event.fields } }]
        : [];
    })
    .filter((event, index, all) => !isRepetition(event, all[index - 1]))
    .slice(-LATEST_EVENTS);
}
