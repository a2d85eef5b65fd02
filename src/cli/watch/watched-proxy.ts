// The proxy that `status --watch` shows: its status, the details of its accounts, and changes of them.

import { remoteAccounts } from "../../admin/client.ts";
import type { Door } from "../../admin/door.ts";
import { CodexlbError, messageOf } from "../../errors.ts";
import { accountLines } from "../accounts/account-lines.ts";
import type { RemoteFlags } from "../common-flags.ts";
import type { CommandContext } from "../context.ts";
import { doorOf, type Location, locate, urlOf } from "../proxy/locate-proxy.ts";
import { type StatusReply, statusReply } from "../status/status-reply.ts";
import type { AccountChange } from "./account-change.ts";
import type { AccountName } from "./account-name.ts";
import type { DrawnDetails } from "./watch-state.ts";

export interface WatchedProxy {
  /** Reads the status. Throws a `ProxyFailure`. */
  status(): Promise<StatusReply>;
  details(account: AccountName): Promise<DrawnDetails>;
  /** Makes a change. Resolves to the warnings. */
  change(change: AccountChange): Promise<readonly string[]>;
}

/** Why the status could not be read. */
export class ProxyFailure extends Error {
  /** What was thrown. */
  override readonly cause: unknown;
  /** The address where the proxy was expected; undefined if it is unknown. */
  readonly url: string | undefined;

  constructor(cause: unknown, warnings: readonly string[], url: string | undefined) {
    super([...warnings, messageOf(cause)].join("; "));
    this.cause = cause;
    this.url = url;
  }

  /** What the user can do. */
  get next(): string | undefined {
    return this.cause instanceof CodexlbError ? this.cause.next : undefined;
  }

  /** True if the proxy may simply not be running at the moment. */
  get isAbsence(): boolean {
    return (
      this.cause instanceof CodexlbError &&
      (this.cause.code === "proxy_unreachable" || this.cause.code === "shutting_down")
    );
  }
}

/** How the status is requested. */
export interface StatusRequests {
  /** The longest wait for a reply, ms; undefined: no limit. */
  readonly timeoutMs: number | undefined;
  /** Requests the status document for the first time. Default: like every other time. */
  readonly firstText?: (door: Door) => Promise<string>;
}

/** The proxy that `flags` and the root of `context` name. */
export function watchedProxy(
  context: CommandContext,
  flags: RemoteFlags,
  { timeoutMs, firstText }: StatusRequests,
): WatchedProxy {
  let textOf = firstText;
  let door: Door | undefined;
  /** Runs `work` with a context whose warnings do not appear on the screen. */
  const quietly = async <T>(
    work: (quiet: CommandContext, warnings: readonly string[]) => Promise<T>,
  ): Promise<T> => {
    const warnings: string[] = [];
    const log = {
      info: (text: string) => void warnings.push(text),
      warn: (text: string) => void warnings.push(text),
    };
    return work({ ...context, deps: { ...context.deps, log } }, warnings);
  };
  const adminDoor = async (quiet: CommandContext, { proxyName }: AccountName): Promise<Door> => {
    const location = await locate(quiet, { ...flags, "proxy-name": proxyName });
    return { ...doorOf(quiet, location), timeoutMs: CHANGE_TIMEOUT_MS };
  };
  return {
    status: () =>
      quietly(async (quiet, warnings) => {
        let location: Location | undefined;
        const request = textOf;
        textOf = undefined;
        try {
          if (door === undefined) {
            location = await locate(quiet, flags, { clientKey: true });
            door = { ...doorOf(quiet, location), timeoutMs };
          }
          return await statusReply(door, request);
        } catch (error) {
          // The root's proxy may have restarted on another address, so the next request looks it up again.
          door = undefined;
          throw new ProxyFailure(error, warnings, addressOf(location));
        }
      }),
    details: (account) =>
      quietly(async (quiet) => {
        const ops = remoteAccounts(await adminDoor(quiet, account));
        const details = await ops.show(account.alias);
        return (canvas) => accountLines(details, canvas);
      }),
    change: ({ kind, account }) =>
      quietly(async (quiet, warnings) => {
        const ops = remoteAccounts(await adminDoor(quiet, account));
        const { alias } = account;
        if (kind === "pin") await ops.pin(alias);
        else if (kind === "unpin") await ops.unpin();
        else await ops.serve(alias, kind === "undrain" ? "enable" : kind);
        return warnings;
      }),
  };
}

// --- internal ---

/** The longest wait for a change and for details, in ms. A child proxy may be far away. */
const CHANGE_TIMEOUT_MS = 10_000;

function addressOf(location: Location | undefined): string | undefined {
  try {
    return location === undefined ? undefined : urlOf(location);
  } catch {
    return undefined; // the settings have no valid address
  }
}
