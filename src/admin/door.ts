// Access to the admin API of a proxy: the daemon of a root over its unix socket, or any proxy over HTTP. Turns refusals
// and failed connections into errors.

import { z } from "zod";
import { advised } from "../advice.ts";
import type { ProvenRequest } from "../auth/proof.ts";
import { hashOf } from "../auth/secrets.ts";
import { type BodySource, boundedText } from "../bounded-fetch.ts";
import { nameForHeader, TARGET_HEADER } from "../core/hops.ts";
import { parseJson } from "../core/json.ts";
import { isLoopback } from "../core/listen.ts";
import { withoutTrailingSlash } from "../core/urls.ts";
import {
  CodexlbError,
  connectProblem,
  type ErrorCode,
  errorCodeOf,
  isUnreachable,
  withoutNext,
} from "../errors.ts";
import { optionsToProxy } from "../network/egress.ts";
import { oneLineTexts } from "../printable.ts";
import { socketAddress } from "../state/socket-path.ts";
import { isNewer, VERSION } from "../version.ts";
import { type Credential, greets } from "./proving.ts";

/** How to reach the admin API of a proxy. */
export interface Door {
  /** `http://host:port`; the host is ignored if there is a socket. */
  readonly url: string;
  readonly unix?: string;
  /** Proves knowledge of the admin token, or of a key if that is enough. */
  readonly credential?: Credential | undefined;
  /** The access token of a stub, which is sent in the requests, unlike a secret. */
  readonly stub?: string | undefined;
  /** The name of the proxy in a chain that is to act. */
  readonly proxyName?: string | undefined;
  /** Longest wait for a complete response, ms; undefined: no limit. */
  readonly timeoutMs?: number | undefined;
}

/** The door of the daemon on a root. */
export function socketDoor(socketPath: string, proxyName?: string): Door {
  return { url: "http://localhost", unix: socketAddress(socketPath), proxyName };
}

/** True if a codexlb proxy, of this program or the Go program, answers at `door`. Throws if it cannot connect. */
export function isProxy(door: Door): Promise<boolean> {
  return greets(baseOf(door), signalOf(door));
}

/**
 * Sends one request through `door`, with its credential and its target. A body must be a string. Returns any response.
 * Throws if it cannot connect, or if the proxy cannot prove that it knows the credential.
 */
export function through(
  door: Door,
): (input: string | URL | Request, init?: RequestInit) => Promise<Response> {
  const send = async (input: string | URL | Request, init: RequestInit): Promise<Response> => {
    const headers = new Headers(init.headers);
    const signal = signalOf(door) ?? init.signal ?? undefined;
    // Not compressed: a small response could decompress to gigabytes.
    headers.set("accept-encoding", "identity");
    if (door.stub !== undefined) headers.set("authorization", `Bearer ${door.stub}`);
    if (door.proxyName !== undefined) headers.set(TARGET_HEADER, nameForHeader(door.proxyName));
    if (door.credential !== undefined) {
      const proven = provenRequest(door, input, init, headers);
      const shown = await door.credential.authorize(baseOf(door), proven, signal);
      if (shown !== undefined) headers.set("authorization", shown);
    }
    return fetch(input, {
      ...optionsToProxy(baseOf(door)),
      ...init,
      headers,
      redirect: "manual",
      decompress: false,
      ...(door.unix === undefined ? {} : { unix: door.unix }),
      ...(signal === undefined ? {} : { signal }),
    });
  };
  return async (input, init = {}) => {
    const response = await send(input, init);
    // If the proxy has restarted since the last request, it does not know the agreed nonces any longer.
    if (response.status !== 401 || door.credential?.renew() !== true) return response;
    await response.body?.cancel();
    return send(input, init);
  };
}

/** The URL of `door` without slashes at its end. */
export function baseOf({ url }: Door): string {
  return withoutTrailingSlash(url);
}

/**
 * The error for an unsuccessful response: the proxy's own error, or `proxy_unreachable` if the response is not a proxy's
 * (an empty body, a page of HTML).
 */
export function refusedWith(door: Door, status: number, text: string): CodexlbError {
  const refused = Refused.safeParse(oneLineTexts(parseJson(text)));
  if (refused.success) {
    const { error, code, message = error, next } = refused.data;
    const known = errorCodeOf(code, status === 401 ? "unauthorized" : "proxy_answer");
    return new CodexlbError(known, message, { next: next ?? seeLog() });
  }
  // The data plane has errors in the shape that OpenAI's clients read.
  const plain = PlainRefusal.safeParse(parseJson(text));
  if (plain.success) {
    const { code, message: whole, next } = plain.data.error;
    const message = next === undefined ? whole : withoutNext(whole, next);
    const known = errorCodeOf(code, status === 401 ? "unauthorized" : "proxy_answer");
    if (known === code) return new CodexlbError(known, message, { next: next ?? seeLog() });
    return new CodexlbError(known, `${baseOf(door)} answered ${status}: ${message}`, {
      next: IS_IT_A_PROXY,
    });
  }
  const body = text.trim();
  if (body !== "" && !body.startsWith("<"))
    return new CodexlbError(
      "proxy_answer",
      `${baseOf(door)} answered ${status}: ${body.slice(0, SHOWN_CHARS)}`,
      { next: IS_IT_A_PROXY },
    );
  return new CodexlbError(
    "proxy_unreachable",
    `${baseOf(door)} answered ${status} and is not a codexlb proxy`,
    {
      next: "check the address of the proxy",
    },
  );
}

/** The error for a proxy that cannot be reached, or that has not proved that it knows the credential. */
export function unreachable(door: Door, error: unknown): CodexlbError {
  if (error instanceof CodexlbError) return error;
  const timedOut = error instanceof Error && error.name === "TimeoutError";
  const why = timedOut ? `no answer within ${door.timeoutMs} ms` : connectProblem(error);
  const where = door.unix === undefined ? baseOf(door) : door.unix;
  return new CodexlbError("proxy_unreachable", `contacting the proxy at ${where}: ${why}`, {
    next: timedOut
      ? "find out which program listens there, or give it more time"
      : !isUnreachable(error)
        ? "find out which program listens there"
        : door.unix !== undefined || isHere(door)
          ? `start it with: ${advised("proxy start")}`
          : "check the address, and that the proxy is running there",
    cause: error,
  });
}

/** True for an error of `unreachable` if the proxy was reached, so that it may have carried out the request. */
export function isLostConnection(error: unknown): error is CodexlbError {
  if (!(error instanceof CodexlbError) || error.code !== "proxy_unreachable") return false;
  const { cause } = error;
  return cause instanceof Error && !(cause instanceof CodexlbError) && !isUnreachable(cause);
}

/** A pending response. */
export type Call = Promise<BodySource & { readonly ok: boolean; readonly status: number }>;

/** The text of a response. Throws a `ResponseTooLarge`, and if the connection closes early. */
export function textOf(response: BodySource): Promise<string> {
  return boundedText(response, ANSWER_LIMIT_BYTES);
}

/** The response to `call`, made through `door`, in the shape of `schema`. Throws the error for a refusal or a failure. */
export async function answered<Schema extends z.ZodType>(
  door: Door,
  schema: Schema,
  call: Call,
): Promise<z.output<Schema>> {
  let text: string;
  try {
    const response = await call;
    text = await textOf(response);
    if (!response.ok) throw refusedWith(door, response.status, text);
  } catch (error) {
    if (error instanceof CodexlbError) throw await withVersions(door, error);
    throw unreachable(door, error);
  }
  const answer = schema.safeParse(oneLineTexts(parseJson(text)));
  if (answer.success) return answer.data;
  const error = new CodexlbError(
    "proxy_answer",
    `${baseOf(door)} does not answer like a codexlb proxy: ${text.slice(0, SHOWN_CHARS).trim()}`,
    { next: IS_IT_A_PROXY },
  );
  throw await withVersions(door, error);
}

/** The next step of an error that came without one: from the Go program, or from an older version. */
export function seeLog(): string {
  return `for the cause, read the log of that proxy: ${advised("proxy logs")}`;
}

// --- internal ---

/** Codes of errors that a proxy of another version can cause, because it does not know the request. */
const OF_OTHER_VERSIONS: ReadonlySet<ErrorCode> = new Set(["proxy_answer", "proxy_unreachable", "not_found"]);

/** `error`, with a next step about the versions if the daemon behind `door` has another version than this command. */
async function withVersions(door: Door, error: CodexlbError): Promise<CodexlbError> {
  if (door.unix === undefined || !OF_OTHER_VERSIONS.has(error.code)) return error;
  const version = await versionOf(door);
  if (version === undefined || version === VERSION) return error;
  const note = `the proxy runs version ${version}, and this command is version ${VERSION}; ${isNewer(version) ? "upgrade this command" : `${advised("doctor")} says how to restart the proxy`}`;
  return new CodexlbError(error.code, error.message, { next: note, cause: error });
}

async function versionOf(door: Door): Promise<string | undefined> {
  try {
    const text = await textOf(await through(door)(`${baseOf(door)}/admin/version`));
    return Versioned.parse(oneLineTexts(parseJson(text))).version;
  } catch {
    return undefined; // the error stays unchanged
  }
}

const Versioned = z.looseObject({ version: z.string() });

function signalOf({ timeoutMs }: Door): AbortSignal | undefined {
  return timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
}

/** The request as the proxy will see it: a path prefix in front of the proxy is stripped on the way. */
function provenRequest(
  door: Door,
  input: string | URL | Request,
  { method = "GET", body }: RequestInit,
  headers: Headers,
): ProvenRequest {
  const { pathname, search } = new URL(input instanceof Request ? input.url : input);
  const before = new URL(baseOf(door)).pathname.replace(/\/$/, "");
  return {
    method: method.toUpperCase(),
    target: `${pathname.slice(before.length)}${search}`,
    proxyName: headers.get(TARGET_HEADER) ?? "",
    bodySha256: hashOf(typeof body === "string" ? body : ""),
  };
}

function isHere({ url }: Door): boolean {
  return URL.canParse(url) && isLoopback(new URL(url).hostname.replace(/^\[|\]$/g, ""));
}

/** Enough for a page of the event log, or a status document with several thousand accounts. */
const ANSWER_LIMIT_BYTES = 32 * 1024 * 1024;
const IS_IT_A_PROXY = "check that a codexlb proxy listens there";
/** Longest part of an unexpected response in a message. */
const SHOWN_CHARS = 200;

const Refused = z.looseObject({
  error: z.string(),
  code: z.string().optional(),
  message: z.string().optional(),
  next: z.string().optional(),
});
const PlainRefusal = z.looseObject({
  error: z.looseObject({
    code: z.string().optional(),
    message: z.string(),
    next: z.string().optional(),
  }),
});
