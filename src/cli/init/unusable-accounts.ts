// The end of `codexlb init`: the accounts that cannot serve, and what to do about them.

import { remoteStatusText } from "../../admin/client.ts";
import { daemonAt } from "../../admin/daemon.ts";
import { type ShownState, shownState } from "../../core/account-state.ts";
import { parseJson } from "../../core/json.ts";
import { StatusAnswer } from "../../core/status-schema.ts";
import { listedWords } from "../accounts/listed-words.ts";
import { nextStepOf } from "../status/next-step.ts";
import { waitingFor } from "../terminal/terminal.ts";
import { accountsOf } from "./pool-state.ts";
import type { SetUp } from "./set-up.ts";

/**
 * Shows each account of the root that cannot serve, with the next step. A running proxy first uses every login, because
 * an imported login may no longer work.
 */
export async function showUnusable({ context, dialog }: Pick<SetUp, "context" | "dialog">): Promise<void> {
  for (const { alias, state } of await statesOf(context)) {
    if (state.canServe) continue;
    const words = state.command === undefined ? state.wordings[0] : (state.wordings[1] ?? state.wordings[0]);
    dialog.say(`${alias} cannot serve: ${words}`, "warning");
    // An exhausted limit ends by itself.
    if (state.backAtMs === undefined)
      for (const next of nextStepOf(alias, state)) dialog.say(`next step: ${next}`);
  }
}

// --- internal ---

/** The proxy itself gives up after 15 s. */
const REFRESH_TIMEOUT_MS = 20_000;

interface AccountState {
  readonly alias: string;
  readonly state: ShownState;
}

async function statesOf(context: SetUp["context"]): Promise<readonly AccountState[]> {
  const { layout, deps } = context;
  const nowMs = deps.clock.now();
  const daemon = await daemonAt(layout.adminSocket);
  if (daemon.kind === "answers") {
    const door = { ...daemon.door, timeoutMs: REFRESH_TIMEOUT_MS };
    // Without the proxy's answer, the list below shows what is known.
    const text = await waitingFor("checking the accounts", remoteStatusText(door, true)).catch(() => "");
    const status = StatusAnswer.safeParse(parseJson(text)).data;
    if (status !== undefined)
      return status.accounts
        .filter(({ proxy_name: name }) => name === "" || name === status.proxy_name)
        .map((account) => ({
          alias: account.alias,
          state: shownState(account, status.proxy_name, nowMs),
        }));
  }
  const accounts = await accountsOf(context);
  return accounts.map((account) => ({ alias: account.alias, state: listedWords(account, nowMs) }));
}
