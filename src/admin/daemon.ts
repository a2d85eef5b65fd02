// Finds the proxy that runs on a root, through its admin socket.

import { ProxyAnswer } from "./answers.ts";
import { answered, type Door, socketDoor, through } from "./door.ts";

/**
 * The process behind the admin socket of a root.
 * `answers`: a proxy, which `door` leads to. `info` returns the facts that the proxy reports; it throws `proxy_answer` or
 * `proxy_unreachable` if this version cannot read them.
 * `silent`: a process that accepts connections and does not answer, for example because it is stopped.
 * `none`: no process.
 */
export type Daemon = RunningDaemon | { readonly kind: "silent" } | { readonly kind: "none" };

export interface RunningDaemon {
  readonly kind: "answers";
  readonly door: Door;
  readonly info: () => ProxyAnswer;
}

/** Finds the process behind `socketPath` with one request. Never throws. */
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
 * The facts that the proxy behind `socketPath` reports; undefined if none answers. Throws `proxy_answer` or
 * `proxy_unreachable` if this version cannot read its answer.
 */
export async function runningProxy(socketPath: string): Promise<ProxyAnswer | undefined> {
  const daemon = await daemonAt(socketPath);
  return daemon.kind === "answers" ? daemon.info() : undefined;
}

// --- internal ---

/** A proxy on the same machine answers from memory. */
const ANSWER_TIMEOUT_MS = 2_000;
