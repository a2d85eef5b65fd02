// The accounts for a person, as `codexlb account list` prints them on a terminal.

import { identityOfListed, type ListedAccount } from "../../auth/account-ops.ts";
import { personName } from "../../auth/identity.ts";
import { optionsIn } from "../../core/account-options.ts";
import { type ShownState, shownState } from "../../core/account-state.ts";
import { optionsOfFields } from "../../core/option-fields.ts";
import { OPTION_HEADINGS, type OptionCells, optionCells, optionsOfStatus } from "../../core/option-words.ts";
import type { StatusAnswer } from "../../core/status-schema.ts";
import { emailOf } from "../../core/status-words.ts";
import { stateBrush } from "../status/state-brush.ts";
import { nameWordings } from "../terminal/fit.ts";
import { fittedTable, type TableFrame } from "../terminal/fitted-table.ts";
import { listedWords } from "./listed-words.ts";

/** The table of the accounts of one proxy. */
export function listedTable(accounts: readonly ListedAccount[], frame: TableFrame, nowMs: number): string {
  const identities = accounts.map(identityOfListed);
  return accountTable(
    accounts.map((account) => ({
      alias: account.alias,
      isPinned: account.codexlb.pinned === true,
      id: account.id,
      email: account.user_email && (personName(identityOfListed(account), identities) ?? ""),
      plan: account.codexlb.plan_type ?? "",
      options: optionCells(optionsIn(optionsOfFields(account.codexlb.options))),
      proxy: "",
      state: listedWords(account, nowMs),
    })),
    frame,
  );
}

/** The table of the accounts of a proxy and of all proxies below it. */
export function treeTable(
  accounts: StatusAnswer["accounts"],
  ownName: string,
  frame: TableFrame,
  nowMs: number,
): string {
  return accountTable(
    accounts.map((account) => ({
      alias: account.alias,
      isPinned: account.pinned,
      id: account.id,
      email: emailOf(account),
      plan: account.plan_type ?? "",
      options: optionCells(optionsOfStatus(account)),
      proxy: account.proxy_name || ownName,
      state: shownState(account, ownName, nowMs),
    })),
    frame,
  );
}

// --- internal ---

interface AccountCells {
  readonly alias: string;
  readonly isPinned: boolean;
  readonly id: string;
  readonly email: string;
  readonly plan: string;
  readonly options: OptionCells;
  readonly proxy: string;
  readonly state: ShownState;
}

function accountTable(accounts: readonly AccountCells[], frame: TableFrame): string {
  return fittedTable(
    [
      {
        heading: "ACCOUNT",
        cells: accounts.map(({ alias }) => nameWordings(alias, frame.style.glyphs.ellipsis)),
      },
      { heading: "PIN", cells: accounts.map(({ isPinned }) => (isPinned ? "P" : "")) },
      {
        heading: "STATUS",
        cells: accounts.map(({ state }) => state.wordings),
        brush: (text, row) => stateBrush(accounts[row]?.state.level ?? "good", frame.style.paint)(text),
      },
      { heading: "PROXY", cells: accounts.map(({ proxy }) => proxy) },
      ...OPTION_HEADINGS.map((heading) => ({
        heading,
        cells: accounts.map(({ options }) => options[heading] ?? ""),
        rank: 1,
      })),
      { heading: "EMAIL", cells: accounts.map(({ email }) => email), rank: 1 },
      { heading: "PLAN", cells: accounts.map(({ plan }) => plan), rank: 2 },
      { heading: "ID", cells: accounts.map(({ id }) => id), rank: 3 },
    ],
    frame,
  );
}
