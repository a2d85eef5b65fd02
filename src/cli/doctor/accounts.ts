// Checks the enrolled accounts: is the login readable, can it be refreshed, is the account in service, is it unique.

import { advised } from "../../advice.ts";
import type { Credentials } from "../../auth/auth-file.ts";
import { type HomeProblem, readCredentials, reconcile } from "../../auth/homes.ts";
import { type Identity, identityOf, personName, sharesAddress, twinProblems } from "../../auth/identity.ts";
import { disabledText, OPERATOR_REASON } from "../../core/health.ts";
import { messageOf } from "../../errors.ts";
import type { AccountRecord } from "../../state/account-record.ts";
import { readConfig } from "../../state/config-source.ts";
import type { Layout } from "../../state/layout.ts";
import { openStore } from "../../state/store.ts";
import type { CommandContext } from "../context.ts";
import { type Finding, ok } from "./finding.ts";
import { examineOptions } from "./options.ts";

/** `proxyUrl` is the URL of a named proxy, whose accounts are used. Then this root needs no accounts. */
export function examineAccounts({ deps, layout }: CommandContext, proxyUrl: string | undefined): Finding[] {
  const silent = { ...deps, log: { info: () => {}, warn: () => {} } };
  let accounts: readonly AccountRecord[];
  let problems: readonly HomeProblem[];
  try {
    // The backend does not matter here, and another check reports invalid settings.
    const { state } = openStore(layout.store, () => "", silent, { readOnly: true });
    problems = reconcile(state, layout, deps.clock.now(), { readOnly: true });
    accounts = state.accounts;
  } catch {
    return []; // another check reports problems of the store
  }
  if (accounts.length === 0 && proxyUrl !== undefined)
    return [ok("accounts", `no accounts on this root; Codex uses those of ${proxyUrl}`)];
  if (accounts.length === 0)
    return [
      {
        check: "accounts",
        status: "warning",
        detail: "there are no accounts",
        remedy: `run: ${advised("account login", "ALIAS")}, or: ${advised("account import")}`,
      },
    ];
  const identities = accounts.map(identityOf);
  const each = accounts.map((account) =>
    withPerson(examineAccount(account, deps.clock.now()), identityOf(account), identities),
  );
  // The finding of an account reports its own problem.
  const examined = new Set(accounts.map(({ alias }) => alias));
  const elsewhere = problems.filter(({ alias }) => alias === undefined || !examined.has(alias));
  // The finding of a bad account says enough.
  const isNamed = each.some(({ status }) => status === "bad");
  const [first] = accounts;
  return [
    ...each,
    ...(first === undefined || isNamed || accounts.some(({ health }) => health.kind !== "disabled")
      ? []
      : [
          {
            check: "accounts",
            status: "bad" as const,
            detail: "no account is in service, so the proxy refuses every turn",
            remedy: `run: ${advised("account enable", first.alias)}`,
          },
        ]),
    ...[...elsewhere.map(({ message }) => message), ...twinProblems(identities)].map(
      (detail): Finding => ({ check: "accounts", status: "warning", detail }),
    ),
    ...optionFindings(layout, accounts),
  ];
}

// --- internal ---

function optionFindings(layout: Layout, accounts: readonly AccountRecord[]): Finding[] {
  try {
    return examineOptions(readConfig(layout), accounts);
  } catch {
    return []; // another check reports invalid settings
  }
}

function examineAccount(record: AccountRecord, nowMs: number): Finding {
  const check = `account ${record.alias}`;
  const login = `run: ${advised("account login", record.alias)}`;
  let credentials: Credentials;
  try {
    credentials = readCredentials(record.homeDir);
  } catch (error) {
    return { check, status: "bad", detail: messageOf(error), remedy: login };
  }
  if (record.health.kind === "disabled") {
    const { reason } = record.health;
    return reason === OPERATOR_REASON
      ? {
          check,
          status: "warning",
          detail: disabledText(reason),
          remedy: `run: ${advised("account enable", record.alias)}`,
        }
      : { check, status: "bad", detail: disabledText(reason), remedy: login };
  }
  if (credentials.apiBaseUrl !== undefined) return ok(check, `an API key for ${credentials.apiBaseUrl}`);
  const expired = credentials.expiresMs !== undefined && credentials.expiresMs <= nowMs;
  if (credentials.refreshToken === undefined)
    return {
      check,
      status: expired ? "bad" : "warning",
      detail: expired
        ? "the access token has expired, and there is no refresh token"
        : "there is no refresh token, so the login ends with its access token",
      remedy: login,
    };
  return ok(
    check,
    `${expired ? "the access token has expired; the next use refreshes it" : tokenTime(credentials, nowMs)}${record.draining ? ", draining" : ""}`,
  );
}

/** Adds the login to a finding if another account has the same e-mail address. */
function withPerson(finding: Finding, person: Identity, others: readonly Identity[]): Finding {
  if (!sharesAddress(person, others)) return finding;
  return { ...finding, detail: `${personName(person, others)}: ${finding.detail}` };
}

function tokenTime({ expiresMs }: Credentials, nowMs: number): string {
  if (expiresMs === undefined) return "the login is readable";
  const minutes = Math.floor((expiresMs - nowMs) / 60_000);
  const hours = Math.floor(minutes / 60);
  const left = hours < 2 ? `${minutes} min` : hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
  return `the access token is valid for ${left}`;
}
