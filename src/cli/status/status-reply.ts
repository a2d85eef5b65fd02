// Reads the status of a proxy.

import { remoteInfo, remoteStatusText } from "../../admin/client.ts";
import type { Daemon } from "../../admin/daemon.ts";
import type { Door } from "../../admin/door.ts";
import { parseProxyUrl } from "../../codex/addresses.ts";
import { parseJson } from "../../core/json.ts";
import { StatusAnswer } from "../../core/status-schema.ts";
import { CodexlbError } from "../../errors.ts";

/** The status that a proxy returned. */
export interface StatusReply {
  readonly status: StatusAnswer;
  /** The address of the proxy. */
  readonly url: string;
}

/**
 * The status of the proxy behind `door`, as `textOf` requests it (default: as it is, without new figures). Throws
 * `proxy_unreachable`, `proxy_answer` and refusals.
 */
export async function statusReply(
  door: Door,
  textOf: (door: Door) => Promise<string> = remoteStatusText,
): Promise<StatusReply> {
  const url = await shownUrl(door);
  return { status: statusIn(await textOf(door), url), url };
}

/** The status in `text`, from the proxy at `url`. Throws `proxy_answer`. */
export function statusIn(text: string, url: string): StatusAnswer {
  const status = StatusAnswer.safeParse(parseJson(text));
  if (status.success) return status.data;
  throw new CodexlbError("proxy_answer", `${url} does not answer like a codexlb proxy`, {
    next: "check --proxy-url",
  });
}

/** The address of the proxy behind `door`, for display. `daemon` is the daemon of the root, if it was just asked. */
export async function shownUrl(door: Door, daemon?: Daemon): Promise<string> {
  if (door.unix === undefined) return door.url;
  const info = daemon?.kind === "answers" ? daemon.info() : await remoteInfo(door);
  return parseProxyUrl(info.url).href;
}
