// The proxy that runs on a root, as its admin socket answers.

import { ProxyAnswer } from "./answers.ts";
import { answered, type Door, socketDoor, through } from "./door.ts";

/**
 * What is behind the admin socket of a root.
 * `answers`: a proxy; `door` leads to it. `info` returns what it says of itself; it throws `proxy_answer` or
 * `proxy_unreachable` if this version cannot read that.
 * `silent`: a process that accepts connections and does not answer, for example because it is stopped.
 * `none`: no process.
 */
export type Daemon = RunningDaemon | { readonly kind: "silent" } | { readonly kind: "none" };

export interface RunningDaemon {
  readonly kind: "answers";
  readonly door: Door;
  readonly info: () => ProxyAnswer;
}

/** Asks the proxy behind `socketPath` what it is, with one request. Never throws. */
export async function daemonAt(socketPath: string): Promise<Daemon> {
  const door = socketDoor(socketPath);
  const asked: Door = { ...door, timeoutMs: ANSWER_TIMEOUT_MS };
  let response: Response;
  try {
    response = await through(asked)(`${door.url}/admin/version`);
  } catch (error) {
    const isSilent = error instanceof Error && error.name === "TimeoutError";
    return { kind: isSilent ? "silent" : "none" };
  }
  try {
    const info = await answered(asked, ProxyAnswer, Promise.resolve(response));
    return { kind: "answers", door, info: () => info };
  } catch (error) {
    return {
      kind: "answers",
      door,
      info: () => {
        throw error;
      },
    };
  }
}

/**
 * What the proxy behind `socketPath` says of itself; undefined if none answers. Throws `proxy_answer` or
 * `proxy_unreachable` if this version cannot read its answer.
 */
export async function runningProxy(socketPath: string): Promise<ProxyAnswer | undefined> {
  const daemon = await daemonAt(socketPath);
  return daemon.kind === "answers" ? daemon.info() : undefined;
}

// --- internal ---

/** A proxy on the same machine answers from memory. */
const ANSWER_TIMEOUT_MS = 2_000;
