// The changes of an account that a key of the live status makes: what it asks before, and what it says after. Pure.

import { shownState } from "../../core/account-state.ts";
import { reasonWords } from "../../core/reason-words.ts";
import type { AccountAnswer, StatusAnswer } from "../../core/status-schema.ts";
import { isPinned } from "../../core/status-words.ts";
import { type AccountName, nameOf } from "./account-name.ts";

export type ChangeKind = "pin" | "unpin" | "drain" | "undrain" | "disable" | "enable";

/** A change of one account. */
export interface AccountChange {
  readonly kind: ChangeKind;
  readonly account: AccountName;
  /** What it does, for the user to confirm: `pin bob: new turns go only to bob`. */
  readonly question: string;
  /** While it is carried out: `pinning bob`. */
  readonly doing: string;
  /** Afterwards: `pinned bob`. */
  readonly done: string;
}

/** The changes that the three keys make of `account` now; undefined: none, because it is disabled. */
export function changeKinds(
  account: AccountAnswer,
  status: StatusAnswer,
): { readonly pin: ChangeKind; readonly drain: ChangeKind | undefined; readonly enable: ChangeKind } {
  const isOff = isDisabled(account);
  return {
    pin: isPinned(account, status) ? "unpin" : "pin",
    drain: isOff ? undefined : account.draining ? "undrain" : "drain",
    enable: isOff ? "enable" : "disable",
  };
}

/** The change `kind` of `account`. `nowMs` is the time of the status. */
export function changeOf(
  kind: ChangeKind,
  account: AccountAnswer,
  status: StatusAnswer,
  nowMs: number,
): AccountChange {
  const name = nameOf(account, status);
  const where = name.proxyName === undefined ? "" : ` on the proxy ${name.proxyName}`;
  const { alias } = account;
  const change = (question: string, doing: string, done: string): AccountChange => ({
    kind,
    account: name,
    question,
    doing: `${doing}${where}`,
    done: `${done}${where}`,
  });
  switch (kind) {
    case "pin": {
      // The state once the account is pinned, because a pinned account gets turns even while it is draining.
      const { canServe, wordings } = shownState({ ...account, pinned: true }, status.proxy_name, nowMs);
      const other = name.proxyName === undefined ? ownPinned(status) : undefined;
      const instead = other === undefined ? "" : ` instead of ${other}`;
      const now = wordings.at(isDisabled(account) ? -1 : 0);
      const once = canServe ? "" : `, once it is available; now: ${now}`;
      const turns = name.proxyName === undefined ? "new turns" : "new turns there";
      return change(
        `pin ${alias}${where}${instead}: ${turns} go only to ${alias}${once}`,
        `pinning ${alias}`,
        `pinned ${alias}`,
      );
    }
    case "unpin":
      return change(
        `unpin ${alias}${where}: the policy chooses again`,
        `unpinning ${alias}`,
        `unpinned ${alias}`,
      );
    case "drain": {
      const drained = isPinned(account, status)
        ? "it is pinned, so it still gets all turns until you unpin it"
        : "it keeps its sessions and gets no new ones";
      return change(`drain ${alias}${where}: ${drained}`, `starting to drain ${alias}`, `draining ${alias}`);
    }
    case "undrain":
      return change(
        `end the drain of ${alias}${where}: it gets new sessions again`,
        `ending the drain of ${alias}`,
        `ended the drain of ${alias}`,
      );
    case "disable":
      return change(
        `disable ${alias}${where}: it gets no turns until you enable it`,
        `disabling ${alias}`,
        `disabled ${alias}`,
      );
    case "enable": {
      const { disabled_reason: reason } = account;
      const why =
        reason === "" || reason === "operator" ? "" : `, which was disabled (${reasonWords(reason)})`;
      return change(
        `enable ${alias}${where}${why}: it gets turns again`,
        `enabling ${alias}`,
        `enabled ${alias}`,
      );
    }
    default:
      return kind satisfies never;
  }
}

// --- internal ---

function isDisabled({ enabled, disabled_reason }: AccountAnswer): boolean {
  return !enabled || disabled_reason !== "";
}

/** The alias of the pinned account of the proxy itself. */
function ownPinned(status: StatusAnswer): string | undefined {
  return status.accounts.find(
    (account) => isPinned(account, status) && nameOf(account, status).proxyName === undefined,
  )?.alias;
}
