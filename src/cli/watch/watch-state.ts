// What `status --watch` knows and shows: the state, and the events and effects of its model.

import { oneLine } from "../../printable.ts";
import type { AccountCanvas } from "../accounts/account-lines.ts";
import type { Viewport } from "../status/frame-crop.ts";
import type { StatusReply } from "../status/status-reply.ts";
import type { Key } from "../terminal/keyboard.ts";
import type { AccountChange } from "./account-change.ts";
import type { AccountName } from "./account-name.ts";
import type { SortOrder } from "./row-order.ts";

/** Why there is no reply. */
export interface Trouble {
  readonly message: string;
  /** What the user can do. */
  readonly next: string | undefined;
  /** When the first request without a reply failed, Unix ms. */
  readonly sinceMs: number;
}

/** A message below the list. `done` disappears after a while, `note` and `problem` with the next key. */
export interface Notice {
  readonly kind: "done" | "note" | "problem";
  readonly text: string;
  /** Unix ms. */
  readonly atMs: number;
}

/** The lines of `account show` on a canvas. */
export type DrawnDetails = (canvas: AccountCanvas) => readonly string[];

/** What the keys act on. */
export type Mode =
  | { readonly kind: "list" }
  | { readonly kind: "filter" }
  | { readonly kind: "confirm"; readonly change: AccountChange }
  | { readonly kind: "help"; readonly viewport: Viewport }
  | {
      readonly kind: "account";
      readonly account: AccountName;
      /** Undefined until they have arrived. */
      readonly details: DrawnDetails | undefined;
      readonly viewport: Viewport;
    };

export interface WatchState {
  /** The address where the proxy is expected until it answers; "" if it is unknown. */
  readonly expectedUrl: string;
  /** The last status, and its time (Unix ms). */
  readonly known: (StatusReply & { readonly answeredMs: number }) | undefined;
  /** Undefined while the proxy answers. */
  readonly trouble: Trouble | undefined;
  /** When the request without a reply was sent, Unix ms. */
  readonly askedMs: number | undefined;
  readonly sort: SortOrder;
  /** The text that shown accounts contain; "": all accounts. */
  readonly filter: string;
  /** The selected account. It stays selected while it is not shown and no other account is. */
  readonly selected: AccountName | undefined;
  /** The position of the selected account among the shown ones. */
  readonly position: number;
  /** The entries that the screen shows. */
  readonly viewport: Viewport;
  readonly mode: Mode;
  /** True if the history of switches is shown. */
  readonly history: boolean;
  readonly notice: Notice | undefined;
  /** True while the proxy carries out a change. */
  readonly isChanging: boolean;
}

export type WatchEvent =
  | { readonly kind: "key"; readonly key: Exclude<Key, "interrupt" | "suspend"> }
  /** A request for the status was sent. */
  | { readonly kind: "asked" }
  | { readonly kind: "answered"; readonly reply: StatusReply }
  | {
      readonly kind: "failed";
      readonly message: string;
      readonly next: string | undefined;
      /** The address of the proxy, if that is known. */
      readonly url: string | undefined;
    }
  /** The details of an account arrived, or the reason why they did not. */
  | { readonly kind: "details"; readonly account: AccountName; readonly details: DrawnDetails }
  | { readonly kind: "no details"; readonly account: AccountName; readonly problem: string }
  | { readonly kind: "changed"; readonly change: AccountChange; readonly warnings: readonly string[] }
  | { readonly kind: "not changed"; readonly change: AccountChange; readonly problem: string }
  /** The screen was drawn. */
  | { readonly kind: "drawn"; readonly viewport: Viewport };

/** What the loop does after an event. */
export type WatchEffect =
  | { readonly kind: "end" }
  | { readonly kind: "request details"; readonly account: AccountName }
  | { readonly kind: "change"; readonly change: AccountChange };

export interface Step {
  readonly state: WatchState;
  readonly effects: readonly WatchEffect[];
}

/** The state before the first reply. */
export const INITIAL_STATE: WatchState = {
  expectedUrl: "",
  known: undefined,
  trouble: undefined,
  askedMs: undefined,
  sort: "listed",
  filter: "",
  selected: undefined,
  position: 0,
  viewport: { first: 0, rows: 0 },
  mode: { kind: "list" },
  history: false,
  notice: undefined,
  isChanging: false,
};

/** A message on one line. */
export function notice(kind: Notice["kind"], text: string, atMs: number): Notice {
  return { kind, text: oneLine(text), atMs };
}
