// Asks for confirmation of a change of an account, and shows the command that does the same.

import { useEffect, useRef, useState } from "preact/hooks";
import type { AccountAction, AccountChange } from "../../messages.ts";
import type { Connection } from "../live.ts";
import { post } from "../session.ts";
import { CommandLine } from "./command-line.tsx";
import { ConnectionBanner } from "./connection.tsx";

export interface PlannedChange {
  readonly action: AccountAction;
  readonly alias: string;
}

/** The word on the button of each action, and what the action does. */
export const ACTIONS: Readonly<Record<AccountAction, { readonly word: string; readonly effect: string }>> = {
  pin: { word: "Pin", effect: "Every turn goes to this account while it can serve." },
  unpin: { word: "Unpin", effect: "The policy chooses the account of each turn again." },
  drain: {
    word: "Drain",
    effect: "The account keeps its sessions and gets no new ones, unless it is pinned.",
  },
  enable: { word: "Enable", effect: "This ends a drain, a disablement or a cooldown of the account." },
  disable: { word: "Disable", effect: "The account serves nothing until it is enabled." },
};

/** The dialog stays open while the connection to the proxy is lost, but changes nothing then. */
export function ChangeDialog(props: {
  readonly change: PlannedChange;
  readonly connection: Connection;
  readonly onClose: () => void;
}) {
  const { action, alias } = props.change;
  const { word, effect } = ACTIONS[action];
  const isLive = props.connection.kind === "live";
  const dialog = useRef<HTMLDialogElement>(null);
  const [failure, setFailure] = useState("");
  const [isSending, setIsSending] = useState(false);
  useEffect(() => dialog.current?.showModal(), []);
  const confirm = async () => {
    setIsSending(true);
    try {
      await post("account", changeOf(props.change));
      dialog.current?.close();
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error));
      setIsSending(false);
    }
  };
  return (
    <dialog ref={dialog} onClose={props.onClose} aria-labelledby="change-title">
      <h2 id="change-title">
        {word} {alias}?
      </h2>
      <p>{effect}</p>
      <p class="muted">The same on the command line:</p>
      <CommandLine command={commandOf(props.change)} />
      <ConnectionBanner connection={props.connection} />
      {isLive && failure !== "" && (
        <p class="failure" role="alert">
          {failure}
        </p>
      )}
      <div class="buttons">
        <button type="button" onClick={() => dialog.current?.close()}>
          Cancel
        </button>
        <button type="button" class="primary" disabled={isSending || !isLive} onClick={() => void confirm()}>
          {word}
        </button>
      </div>
    </dialog>
  );
}

// --- internal ---

function changeOf({ action, alias }: PlannedChange): AccountChange {
  return action === "unpin" ? { action } : { action, alias };
}

function commandOf({ action, alias }: PlannedChange): string {
  return action === "unpin" ? "codexlb account unpin" : `codexlb account ${action} ${alias}`;
}
