// The accounts as rows: their state, their windows, and what they do now.

import { whyWords } from "../../../core/explanation-words.ts";
import { nextTurnOf } from "../../../core/next-turn.ts";
import { poolNotes } from "../../../core/pool-notes.ts";
import { resetCreditTexts } from "../../../core/reset-credit-words.ts";
import { type FrameRow, frameRows } from "../../../core/status-rows.ts";
import type { AccountAnswer, StatusAnswer } from "../../../core/status-schema.ts";
import { backAt } from "../../../core/time-words.ts";
import type { AccountAction, Snapshot } from "../../messages.ts";
import { AccountOptions } from "../parts/account-options.tsx";
import { ACTIONS, type PlannedChange } from "../parts/change-dialog.tsx";
import { CommandLine } from "../parts/command-line.tsx";
import { StateMark } from "../parts/state-mark.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { WindowBar } from "../parts/window-bar.tsx";

export interface AccountsProps {
  readonly snapshot: Snapshot;
  readonly nowMs: number;
  /** Plans a change; undefined while changes are not allowed. */
  readonly plan: ((change: PlannedChange) => void) | undefined;
}

export function AccountsView({ snapshot, nowMs, plan }: AccountsProps) {
  const { status, options, passedOver } = snapshot;
  const rows = frameRows(status, nowMs);
  if (rows.accounts.length === 0) return <NoAccounts />;
  const columns: Column[] = [
    { heading: "Account" },
    { heading: "Status" },
    ...rows.captions.map((heading) => ({ heading })),
    { heading: "In flight", kind: "number" },
    { heading: "Sessions", kind: "number" },
  ];
  const windowsOf = ({ windows }: FrameRow) =>
    rows.captions.map((caption, index) => <WindowBar key={caption} window={windows[index]} nowMs={nowMs} />);
  return (
    <>
      <h2 class="hidden">Accounts</h2>
      <Pool status={status} pool={rows.pool} captions={rows.captions} nowMs={nowMs} />
      <Remedies rows={rows.accounts} />
      <Table
        caption="Accounts"
        columns={columns}
        rows={rows.accounts.map((row, index) => {
          const account = status.accounts[index] as AccountAnswer;
          const own = isOwn(account, status);
          return {
            key: `${account.proxy_id ?? ""} ${account.id}`,
            class: row.isActive ? "active" : "",
            cells: [
              <span key="name" class="account">
                <AccountName row={row} resets={resetCreditTexts(account, nowMs)[0]} />
                <AccountOptions account={account} row={row} sources={own ? options[account.id] : undefined} />
                {plan !== undefined && <Changes account={account} row={row} status={status} plan={plan} />}
              </span>,
              row.state && (
                <AccountState key="state" row={row} passedOver={own ? passedOver[account.id] : undefined} />
              ),
              ...windowsOf(row),
              row.texts["IN FLIGHT"],
              row.texts.SESSIONS ?? "",
            ],
          };
        })}
      />
      {rows.limits.length > 0 && (
        <section>
          <h2>Other limits of the pool</h2>
          <Table
            caption="Other limits of the pool"
            columns={[{ heading: "Limit" }, ...rows.captions.map((heading) => ({ heading }))]}
            rows={rows.limits.map((row) => ({ key: row.name, cells: [row.name, ...windowsOf(row)] }))}
          />
        </section>
      )}
    </>
  );
}

// --- internal ---

function NoAccounts() {
  return (
    <div class="empty">
      <h2>No accounts yet</h2>
      <p>Enrol the account that Codex is logged in to:</p>
      <CommandLine command="codexlb account import main" />
    </div>
  );
}

function AccountState(props: { readonly row: FrameRow; readonly passedOver: string | undefined }) {
  const { row, passedOver } = props;
  return (
    <span class="account-state">
      <StateMark level={row.state?.level ?? "low"}>{stateWords(row)}</StateMark>
      {passedOver !== undefined && <span class="muted facts">passed over: {whyWords(passedOver)}</span>}
    </span>
  );
}

/** The first wording, without the command, which is below "To do". */
function stateWords({ state }: FrameRow): string {
  const [long, short = long] = state?.wordings ?? [""];
  return state?.command === undefined ? long : short;
}

function AccountName({ row, resets }: { readonly row: FrameRow; readonly resets: string | undefined }) {
  const { name, isActive, isPinned, texts } = row;
  const facts = [texts.PLAN, texts.EMAIL, texts.CREDITS && `${texts.CREDITS} credits`, resets].filter(
    Boolean,
  );
  return (
    <>
      <span class="name">
        <strong>{name}</strong>
        {isActive && <span class="badge">served last</span>}
        {isPinned && <span class="badge pin">pinned</span>}
      </span>
      {facts.length > 0 && <span class="muted facts">{facts.join(" · ")}</span>}
    </>
  );
}

function Pool(props: {
  readonly status: StatusAnswer;
  readonly pool: FrameRow;
  readonly captions: readonly string[];
  readonly nowMs: number;
}) {
  const { status, pool, captions, nowMs } = props;
  const { policy } = status;
  const next = nextTurnOf(status, nowMs);
  return (
    <section class="pool" aria-label="Pool">
      <div class="fact">
        <span class="label">Pool</span>
        {pool.state && <StateMark level={pool.state.level}>{pool.state.wordings[0]}</StateMark>}
      </div>
      <div class="fact">
        <span class="label">Next turn</span>
        <span>
          <strong>{next?.headline ?? "no account can serve"}</strong>
          {next?.why !== undefined && <span class="muted"> ({next.why})</span>}
          {next?.back !== undefined && (
            <span class="muted">
              , first {backAt(next.back.atMs, nowMs)} ({next.back.name})
            </span>
          )}
        </span>
      </div>
      {captions.map((caption, index) => (
        <div class="fact wide" key={caption}>
          <span class="label">{caption} on average</span>
          <WindowBar window={pool.windows[index]} nowMs={nowMs} />
        </div>
      ))}
      <div class="fact">
        <span class="label">In flight</span>
        <span>{pool.texts["IN FLIGHT"]}</span>
      </div>
      <div class="fact">
        <span class="label">Policy</span>
        <span>{policy.mode}</span>
      </div>
      {poolNotes(status, nowMs).map((note) => (
        <div class="fact" key={note}>
          <span>{note}</span>
        </div>
      ))}
    </section>
  );
}

/** The commands that the user should run. */
function Remedies({ rows }: { readonly rows: readonly FrameRow[] }) {
  const due = rows.flatMap(({ name, state }) =>
    state?.command === undefined ? [] : [{ name, why: state.wordings[1] ?? "", command: state.command }],
  );
  if (due.length === 0) return null;
  return (
    <section class="todo" aria-labelledby="todo">
      <h2 id="todo">To do</h2>
      <ul>
        {due.map(({ name, why, command }) => (
          <li key={command}>
            <span>
              <strong>{name}</strong>: {why}
            </span>
            <CommandLine command={command} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Changes(props: {
  readonly account: AccountAnswer;
  readonly row: FrameRow;
  readonly status: StatusAnswer;
  readonly plan: (change: PlannedChange) => void;
}) {
  const { account, row, status, plan } = props;
  if (!isOwn(account, status))
    return <span class="muted facts">change it with --proxy-name {account.proxy_name}</span>;
  return (
    <span class="changes">
      {actionsOf(account, row).map((action) => (
        <button
          key={action}
          type="button"
          class="small"
          aria-label={`${ACTIONS[action].word} ${account.alias}`}
          onClick={() => plan({ action, alias: account.alias })}
        >
          {ACTIONS[action].word}
        </button>
      ))}
    </span>
  );
}

function isOwn({ proxy_name: owner }: AccountAnswer, { proxy_name: ownName }: StatusAnswer): boolean {
  return owner === "" || owner === ownName;
}

function actionsOf(account: AccountAnswer, { isPinned }: FrameRow): AccountAction[] {
  const isClosed = !account.enabled || account.draining || account.cooldown_seconds > 0;
  return [
    isPinned ? "unpin" : "pin",
    ...(isClosed ? (["enable"] as const) : []),
    ...(account.enabled && !account.draining ? (["drain"] as const) : []),
    ...(account.enabled ? (["disable"] as const) : []),
  ];
}
