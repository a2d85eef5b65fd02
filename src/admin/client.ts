// The typed client of the admin API: of the daemon of a root over its unix socket, or of any proxy over HTTP.

import { hc } from "hono/client";
import { z } from "zod";
import { AccountDetails } from "../auth/account-details.ts";
import { type AccountOps, ListedAccount } from "../auth/account-ops.ts";
import { KEY_ROLES, type KeyOps } from "../auth/keys.ts";
import { StubAuth } from "../auth/stub.ts";
import { nameForHeader } from "../core/hops.ts";
import { isLoopback } from "../core/listen.ts";
import { StatusAnswer } from "../core/status-wire.ts";
import { parseJson } from "../core/turn.ts";
import { CodexlbError, errorCodeOf, messageOf, systemCodeOf } from "../errors.ts";
import { socketAddress } from "../state/socket-path.ts";
import type { AdminApi } from "./app.ts";
import { TARGET_HEADER } from "./requests.ts";

/** A way to the admin API of a proxy. */
export interface Door {
  /** `http://host:port`; over a socket the host does not matter. */
  readonly url: string;
  readonly unix?: string;
  /** The admin token, or a client key where that is enough. */
  readonly token?: string | undefined;
  /** Which proxy of a chain shall act. */
  readonly proxyName?: string | undefined;
  /** Longest wait for a whole answer, ms; undefined: as long as it takes. */
  readonly timeoutMs?: number | undefined;
}

/** The door of the daemon on a root. */
export function socketDoor(socketPath: string, proxyName?: string): Door {
  return { url: "http://localhost", unix: socketAddress(socketPath), proxyName };
}

/** Account operations carried out by the proxy behind `door`. */
export function remoteAccounts(door: Door): AccountOps {
  const api = apiOf(door);
  const named = (name: string) => ({ json: { alias: name } });
  const done = async (call: Call, name: string): Promise<string> => {
    const { message } = Done.parse(await answered(door, call));
    // The proxy tells which alias it was when an id was given.
    return /^\w+ account (\S+)$/.exec(message)?.[1] ?? name;
  };
  return {
    list: async () => Accounts.parse(await answered(door, api.admin.accounts.$get())).accounts,
    import: async (alias, { auth, config, replace }) => {
      const json = {
        alias,
        auth: z.record(z.string(), z.unknown()).parse(JSON.parse(auth)),
        // Left out where they say nothing: the Go program refuses fields that it does not know.
        ...(config === undefined ? {} : { config }),
        ...(replace ? { replace } : {}),
      };
      return Done.parse(await answered(door, api.admin.account.import.$post({ json }))).total;
    },
    remove: (name) => done(api.admin.account.rm.$post(named(name)), name),
    pin: (name) => done(api.admin.account.pin.$post(named(name)), name),
    unpin: async () => {
      await answered(door, api.admin.account.unpin.$post());
    },
    show: async (name) => {
      const url = `${baseOf(door)}/admin/account/show?${new URLSearchParams({ alias: name })}`;
      return AccountDetails.parse(await answered(door, through(door)(url)));
    },
    serve: (name, service) => done(api.admin.account[service].$post(named(name)), name),
  };
}

/** Keys of the proxy behind `door`. */
export function remoteKeys(door: Door): KeyOps {
  const api = apiOf(door);
  return {
    list: async () => KeyList.parse(await answered(door, api.admin.keys.$get())).keys,
    add: async (name, role) =>
      z
        .looseObject({ key: z.string() })
        .parse(await answered(door, api.admin.key.add.$post({ json: { name, role } }))).key,
    remove: async (name) => {
      await answered(door, api.admin.key.rm.$post({ json: { name } }));
    },
  };
}

/** The settings of the proxy behind `door`, as they hold. */
export async function remoteSettings(door: Door): Promise<z.output<typeof Settings>["settings"]> {
  return Settings.parse(await answered(door, apiOf(door).admin.config.$get())).settings;
}

/** Who would get the next turn (of `session`) from the proxy behind `door`, and why not the others. */
export async function remoteExplanation(door: Door, session: string | undefined): Promise<Explained> {
  const url = `${baseOf(door)}/admin/explain${session === undefined ? "" : `?${new URLSearchParams({ session })}`}`;
  return Explained.parse(await answered(door, through(door)(url)));
}

/** What the proxy behind `door` is. */
export async function remoteInfo(door: Door): Promise<ProxyAnswer> {
  return ProxyAnswer.parse(await answered(door, apiOf(door).admin.version.$get()));
}

/** Stub credentials from the proxy behind `door`, and the key for its paths, which the Go program does not have. */
export async function remoteStub(door: Door): Promise<{ stub: StubAuth; pathKey: string | undefined }> {
  const answer = await answered(door, apiOf(door).admin["runtime-auth"].$get());
  const { auth, path_key } = z.looseObject({ auth: StubAuth, path_key: z.string().optional() }).parse(answer);
  return { stub: auth, pathKey: path_key };
}

/** The status document of the proxy behind `door`, as it came. */
export async function remoteStatusText(door: Door): Promise<string> {
  let response: Response;
  let text: string;
  try {
    response = await through(door)(`${baseOf(door)}/status`);
    text = await response.text();
  } catch (error) {
    throw unreachable(door, error);
  }
  if (response.ok) return text;
  throw refusedWith(door, response.status, text);
}

/** The same, read. */
export async function remoteStatus(door: Door): Promise<StatusAnswer> {
  const status = StatusAnswer.safeParse(parseJson(await remoteStatusText(door)));
  if (status.success) return status.data;
  throw new CodexlbError("proxy_answer", `${baseOf(door)} does not answer like a codexlb proxy`, {
    next: "check the address of the proxy",
  });
}

/** Lines of the event log of the proxy behind `door`; `nextOffset` is undefined when it does not tell. */
export async function remoteLogLines(
  door: Door,
  query: Readonly<Record<string, string>>,
): Promise<{ text: string; nextOffset: number | undefined }> {
  const response = await through(door)(`${baseOf(door)}/logs?${new URLSearchParams(query)}`).catch(
    (error) => {
      throw unreachable(door, error);
    },
  );
  const text = await response.text();
  if (!response.ok) throw refusedWith(door, response.status, text);
  const next = response.headers.get("x-next-offset") ?? "";
  return { text, nextOffset: /^\d+$/.test(next) ? Number(next) : undefined };
}

/** True when a daemon answers behind `socketPath`. */
export async function daemonAnswers(socketPath: string): Promise<boolean> {
  try {
    const response = await fetch("http://localhost/healthz", {
      unix: socketAddress(socketPath),
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    return response.ok;
  } catch {
    return false; // no socket, or nobody behind it
  }
}

/** Sends one request through `door`, with its token and its target. Any answer is returned; a failure to connect throws. */
export function through(
  door: Door,
): (input: string | URL | Request, init?: RequestInit) => Promise<Response> {
  return (input, init = {}) => {
    const headers = new Headers(init.headers);
    if (door.token !== undefined) headers.set("authorization", `Bearer ${door.token}`);
    if (door.proxyName !== undefined) headers.set(TARGET_HEADER, nameForHeader(door.proxyName));
    return fetch(input, {
      ...init,
      headers,
      redirect: "manual",
      ...(door.unix === undefined ? {} : { unix: door.unix }),
      ...(door.timeoutMs === undefined ? {} : { signal: AbortSignal.timeout(door.timeoutMs) }),
    });
  };
}

/** The URL of a door without a slash at its end. */
export function baseOf({ url }: Door): string {
  return url.replace(/\/+$/, "");
}

/**
 * The error for an answer that is no success: what the proxy says itself, or `proxy_unreachable` when it is not a
 * proxy that answers (an empty body, a page of HTML).
 */
export function refusedWith(door: Door, status: number, text: string): CodexlbError {
  const refused = Refused.safeParse(parseJson(text));
  if (refused.success) {
    const { error, code, message = error, next } = refused.data;
    const known = errorCodeOf(code, status === 401 ? "unauthorized" : "proxy_answer");
    return new CodexlbError(known, message, next === undefined ? {} : { next });
  }
  // The data plane speaks the language of OpenAI's clients.
  const plain = PlainRefusal.safeParse(parseJson(text));
  if (plain.success) {
    const { code, message } = plain.data.error;
    const known = errorCodeOf(code, status === 401 ? "unauthorized" : "proxy_answer");
    if (known === code) return new CodexlbError(known, message);
    return new CodexlbError(known, `${baseOf(door)} answered ${status}: ${message}`, {
      next: "check that a codexlb proxy listens there",
    });
  }
  const body = text.trim();
  if (body !== "" && !body.startsWith("<"))
    return new CodexlbError(
      "proxy_answer",
      `${baseOf(door)} answered ${status}: ${body.slice(0, SHOWN_CHARS)}`,
    );
  return new CodexlbError(
    "proxy_unreachable",
    `${baseOf(door)} answered ${status}, which is not a codexlb proxy`,
    {
      next: "check the address of the proxy",
    },
  );
}

/** The error for a proxy that could not be asked at all. */
export function unreachable(door: Door, error: unknown): CodexlbError {
  const code = systemCodeOf(error);
  // A socket that is not there is refused in other words.
  const refused = code === "ConnectionRefused" || code === "ECONNREFUSED" || code === "ENOENT";
  const timedOut = error instanceof Error && error.name === "TimeoutError";
  const why = refused
    ? "nobody listens there"
    : timedOut
      ? `no answer within ${door.timeoutMs} ms`
      : messageOf(error);
  const where = door.unix === undefined ? baseOf(door) : door.unix;
  return new CodexlbError("proxy_unreachable", `asking the proxy at ${where}: ${why}`, {
    next: timedOut
      ? "see what listens there, or give it more time"
      : door.unix !== undefined || isHere(door)
        ? "start it with: codexlb proxy"
        : "check the address, and that the proxy runs there",
    cause: error,
  });
}

// --- internal ---

function isHere({ url }: Door): boolean {
  return URL.canParse(url) && isLoopback(new URL(url).hostname.replace(/^\[|\]$/g, ""));
}

/** A daemon on the same machine that has not answered by then is not going to. */
const ANSWER_TIMEOUT_MS = 2_000;
/** Longest part of a stranger's answer in a message. */
const SHOWN_CHARS = 200;

const Accounts = z.looseObject({
  accounts: z
    .array(ListedAccount)
    .nullable()
    .transform((accounts) => accounts ?? []),
});
const Done = z.looseObject({ message: z.string().default(""), total: z.number().default(0) });
const Refused = z.looseObject({
  error: z.string(),
  code: z.string().optional(),
  message: z.string().optional(),
  next: z.string().optional(),
});
const PlainRefusal = z.looseObject({
  error: z.looseObject({ code: z.string().optional(), message: z.string() }),
});
const KeyList = z.looseObject({
  keys: z.array(
    z
      .object({ name: z.string(), role: z.enum(KEY_ROLES), created_at_ms: z.number() })
      .transform(({ name, role, created_at_ms }) => ({ name, role, createdMs: created_at_ms })),
  ),
});
const Settings = z.looseObject({
  settings: z.array(z.looseObject({ key: z.string(), value: z.unknown(), source: z.string() })),
});

/** `GET /admin/explain`. */
export type Explained = z.output<typeof Explained>;
const Explained = z.looseObject({
  mode: z.string(),
  session: z.string().optional(),
  bound_to: z.string().optional(),
  held: z.boolean(),
  pinned: z.string().optional(),
  chosen: z.string().optional(),
  reason: z.string().optional(),
  back_at_ms: z.number().optional(),
  accounts: z.array(
    z.looseObject({
      alias: z.string(),
      tier: z.string(),
      in_flight: z.number(),
      score: z.number(),
      terms: z.array(
        z.looseObject({
          window: z.string(),
          share: z.number(),
          known: z.boolean(),
          weight: z.number(),
        }),
      ),
      capped_by: z.looseObject({ limit: z.string(), share: z.number() }).optional(),
      urgency: z.number(),
      why: z.string(),
    }),
  ),
});

/** What a proxy says of itself. */
export type ProxyAnswer = z.output<typeof ProxyAnswer>;
const ProxyAnswer = z.looseObject({
  version: z.string(),
  commit: z.string(),
  name: z.string(),
  root: z.string(),
  url: z.string(),
  pid: z.number(),
  token_url: z.string(),
  started_at_ms: z.number(),
});

type Call = Promise<{ ok: boolean; status: number; text(): Promise<string> }>;

function apiOf(door: Door) {
  return hc<AdminApi>(baseOf(door), { fetch: through(door) });
}

async function answered(door: Door, call: Call): Promise<unknown> {
  let status: number;
  let text: string;
  try {
    const response = await call;
    status = response.status;
    text = await response.text();
    if (!response.ok) throw refusedWith(door, status, text);
  } catch (error) {
    if (error instanceof CodexlbError) throw error;
    throw unreachable(door, error);
  }
  const answer = parseJson(text);
  if (typeof answer === "object" && answer !== null) return answer;
  throw new CodexlbError(
    "proxy_answer",
    `parse admin response: ${baseOf(door)} answered ${text.slice(0, SHOWN_CHARS)}`,
  );
}
