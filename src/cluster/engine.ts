// The connection to the engine. The only file that imports ioredis, which is loaded only here and only for a cluster.

import { isIP } from "node:net";
import { Redis } from "ioredis";
import type { Deps } from "../deps.ts";
import { CodexlbError, connectProblem, messageOf, systemCodeOf } from "../errors.ts";
import { certificateProblem } from "../network/connect-problem.ts";
import { type EngineAddress, engineAddress, shownEngine } from "../network/engine-url.ts";
import { trustOf } from "../network/trust.ts";
import { connectionAdvice, isOtherProtocol, NO_ANSWER } from "./connection-advice.ts";
import { type EngineInfo, readInfo } from "./engine-info.ts";
import {
  channelOf,
  KEY_COUNT,
  keysOf,
  prefixOf,
  processChannelOf,
  SCRIPTS,
  type ScriptName,
  signalChannelOf,
} from "./scripts.ts";

export interface Engine {
  /** The server's URL without user and password. */
  readonly shown: string;
  /** Runs a script. Throws `cluster_unreachable`, `cluster_refused`. */
  run(script: ScriptName, ...args: readonly (string | number)[]): Promise<unknown>;
  /** Throws like `run`. */
  info(): Promise<EngineInfo>;
  /** Begins to connect, and resolves when that is done. Throws like `run` if it is not after `timeoutMs`. */
  connected(timeoutMs: number): Promise<void>;
  /** Sets what is called after each connect, and for each change that a replica announces. Begins to connect. */
  watch(listeners: EngineListeners): void;
  /** Ends the connections. */
  close(): void;
}

export interface EngineListeners {
  /** Also called after every reconnection, which ioredis makes by itself. */
  readonly connected: () => void;
  /** A replica has changed a fact. */
  readonly changed: () => void;
  /** A replica has sent signals (`send_signals` in signal-scripts.ts has the format). */
  readonly signalled: (message: string) => void;
  /** Also called after every reconnection. What was sent before did not arrive. */
  readonly subscribed: () => void;
  /** The engine refuses the subscription. It is tried again every few seconds. */
  readonly unsubscribed?: (problem: CodexlbError) => void;
}

export interface EngineOptions {
  /** `cluster.url`, which was checked. */
  readonly url: string;
  readonly pool: string;
  readonly deps: Pick<Deps, "env" | "random">;
  /** The process of a replica: `watch` then subscribes to its channel. Default: a command, which is none. */
  readonly processId?: string;
}

/** Longest wait for the answer to one command, ms. The engine answers from memory. */
const COMMAND_TIMEOUT_MS = 2_000;
const CONNECT_TIMEOUT_MS = 5_000;
/** A connection on which nothing arrives for this time is replaced, ms. Each replica asks every few seconds. */
const SILENCE_MS = 20_000;
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 5_000;

/** The engine, not yet connected. Throws `invalid_config` if the certificates of the environment cannot be used. */
export function createEngine({ url, pool, deps, processId }: EngineOptions): Engine {
  const address = engineAddress(url);
  if (address === undefined) throw new Error("cluster.url was checked");
  const shown = shownEngine(url);
  const client = new Redis({
    ...connectionOf(address, deps),
    connectionName: "codexlb",
    // Needs a right that Redis before 7.2 cannot grant.
    disableClientInfo: true,
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    socketTimeout: SILENCE_MS,
    // A command that could not be sent fails immediately, and one without an answer is not sent twice: the caller
    // repeats what is still needed, in the state after the reconnection.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (times) => {
      const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(times, 10));
      return longest * (0.5 + (deps.random(1)[0] ?? 0) / 512);
    },
    // After a failover the former primary refuses writes. The name or address then leads to another server.
    reconnectOnError: (error) => error.message.startsWith("READONLY"),
  });
  for (const [name, lua] of SCRIPTS) client.defineCommand(name, { numberOfKeys: KEY_COUNT, lua });
  const subscriber = client.duplicate({
    socketTimeout: undefined,
    keepAlive: SILENCE_MS,
    autoResubscribe: false,
  });
  const changeChannel = channelOf(pool);
  const signalChannel = signalChannelOf(pool);
  const ownChannels = processId === undefined ? [] : [processChannelOf(pool, processId)];
  let problem: unknown;
  let listeners: EngineListeners = {
    connected: () => {},
    changed: () => {},
    signalled: () => {},
    subscribed: () => {},
  };
  client.on("error", (error) => {
    // The error before says why the connection was closed.
    problem = isClosing(error) ? (problem ?? error) : error;
    // ioredis only reports this, and would use database 0.
    if (isRefusedDatabase(error)) client.disconnect(true);
  });
  client.on("ready", () => {
    problem = undefined;
    listeners.connected();
  });
  // Without a listener ioredis prints the error. The client reports the same problem.
  subscriber.on("error", () => {});
  subscriber.on("message", (channel, message) => {
    if (channel === signalChannel) listeners.signalled(message);
    if (channel === changeChannel) listeners.changed();
  });
  subscriber.on("ready", () =>
    subscribe(subscriber, [changeChannel, signalChannel, ...ownChannels], {
      done: () => listeners.subscribed(),
      refused: (error) => listeners.unsubscribed?.(failed(error)),
    }),
  );
  const failed = (error: unknown): CodexlbError =>
    engineError({ shown, pool, env: deps.env, error, kept: problem });
  const asked = async <T>(question: () => Promise<T>): Promise<T> => {
    try {
      return await question();
    } catch (error) {
      throw failed(error);
    }
  };
  const begin = (): void => {
    // The listener of errors keeps the reason, and ioredis tries again.
    if (client.status === "wait") client.connect().catch(() => {});
  };
  const keys = keysOf(pool);
  return {
    shown,
    run: (script, ...args) => asked(() => (client as unknown as Scripted)[script](...keys, ...args)),
    info: () => asked(async () => readInfo(await client.info())),
    connected: (timeoutMs) =>
      new Promise((resolve, reject) => {
        begin();
        if (client.status === "ready") return resolve();
        const timer = setTimeout(() => {
          client.off("ready", ready);
          reject(failed(new Error(NO_ANSWER)));
        }, timeoutMs);
        const ready = () => {
          clearTimeout(timer);
          resolve();
        };
        client.once("ready", ready);
      }),
    watch: (given) => {
      listeners = given;
      begin();
      subscriber.connect().catch(() => {});
      if (client.status === "ready") given.connected();
    },
    close: () => {
      client.disconnect();
      subscriber.disconnect();
    },
  };
}

// --- internal ---

/** The client with its scripts as methods. */
type Scripted = Record<ScriptName, (...args: readonly (string | number)[]) => Promise<unknown>>;

/** Subscribes the connection that is ready now, and tries again while it lasts. */
function subscribe(
  subscriber: Redis,
  channels: readonly string[],
  results: { readonly done: () => void; readonly refused: (error: unknown) => void },
): void {
  const { stream } = subscriber;
  const isSame = () => subscriber.status === "ready" && subscriber.stream === stream;
  subscriber.subscribe(...channels).then(
    () => {
      if (isSame()) results.done();
    },
    (error) => {
      if (!isSame()) return;
      results.refused(error);
      setTimeout(() => isSame() && subscribe(subscriber, channels, results), LONGEST_RETRY_MS).unref();
    },
  );
}

function connectionOf({ at, username, password, database }: EngineAddress, { env }: Pick<Deps, "env">) {
  const login = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    db: database,
  };
  if (at.kind === "unix") return { path: at.path, ...login };
  const ca = trustOf(env)?.ca;
  // An address cannot be a server name (RFC 6066); the certificate is compared with it all the same.
  const name = isIP(at.host) === 0 ? { servername: at.host } : {};
  const tls = at.tls ? { tls: { ...name, ...(ca === undefined ? {} : { ca: [...ca] }) } } : {};
  return { host: at.host, port: at.port, ...login, ...tls };
}

/** What the server's refusals mean, by the first word of its message. */
const REFUSALS: Readonly<Record<string, readonly [what: string, next: string]>> = {
  NOAUTH: ["the server requires a password", "put the user and the password into cluster.url"],
  WRONGPASS: ["the user or the password is wrong", "correct the user and the password in cluster.url"],
  OTHERPOOL: [
    "the pool was replaced, or its key was changed",
    "try again in a few seconds; docs/cluster.md describes how a key is changed",
  ],
  OOM: ["the memory of the server is full", "raise maxmemory on the server"],
  READONLY: ["the server is read-only", "name the primary server in cluster.url"],
  MISCONF: ["the server cannot write to its disk, and refuses changes", "check the disk of the server"],
  LOADING: ["the server is still loading its data", "try again in a moment"],
  CLUSTERDOWN: ["the server is part of a Redis Cluster", "use a server that is not part of one"],
  MOVED: ["the server is part of a Redis Cluster", "use a server that is not part of one"],
};

/** What it means that the user lacks a right. Its rights may be for a pool with another name. */
function missingRight(pool: string): readonly [what: string, next: string] {
  return [
    `the user lacks a right that codexlb needs for the pool ${pool}, whose keys are ${prefixOf(pool)}*`,
    "check that cluster.pool is not misspelt, and give the user the rights in docs/cluster.md, section Server",
  ];
}

interface EngineFailure {
  readonly shown: string;
  readonly pool: string;
  readonly env: Deps["env"];
  readonly error: unknown;
  /** The last error of the connection, which says more than that of a command that could not be sent. */
  readonly kept: unknown;
}

function engineError({ shown, pool, env, error, kept }: EngineFailure): CodexlbError {
  if (error instanceof CodexlbError) return error;
  const isReply = (one: unknown): one is Error => one instanceof Error && one.name === "ReplyError";
  const reply = isReply(error) ? error : isReply(kept) ? kept : undefined;
  if (reply !== undefined && isRefusedDatabase(reply))
    return new CodexlbError(
      "cluster_refused",
      `using ${shown}: the server refuses the database that cluster.url names (${reply.message.slice(0, LONGEST_REPLY)})`,
      {
        next: "correct the database number in cluster.url, or give the user the right to run SELECT",
        cause: reply,
      },
    );
  if (reply !== undefined) {
    // A script reports the error of its command behind its own words.
    const code = NO_RIGHT_IN_SCRIPT.test(reply.message)
      ? "NOPERM"
      : ["NOPERM", ...Object.keys(REFUSALS)].find((one) => reply.message.split(/[\s:]+/).includes(one));
    const known = code === "NOPERM" ? missingRight(pool) : REFUSALS[code ?? ""];
    const [what, next] = known ?? [
      `the server refused a command (${reply.message.slice(0, LONGEST_REPLY)})`,
      "check the server and its log",
    ];
    return new CodexlbError("cluster_refused", `using ${shown}: ${what}`, { next, cause: reply });
  }
  return new CodexlbError("cluster_unreachable", `contacting ${shown}: ${whyOf(kept ?? error)}`, {
    next: connectionAdvice({ shown, env, error: kept ?? error }),
    cause: error,
  });
}

/** True for the server's answer to SELECT, which a connection sends first if its database is not 0. */
function isRefusedDatabase(error: unknown): boolean {
  const { command } = error as { readonly command?: { readonly name: string } };
  return command?.name === "select";
}

const LONGEST_REPLY = 120;
/** What Redis 6.2 and 7.0 report for a command of a script that the user may not run. */
const NO_RIGHT_IN_SCRIPT = /user executing the script can't (?:run|access)/;

function whyOf(error: unknown): string {
  const code = systemCodeOf(error);
  if (code !== undefined) return certificateProblem(code, "the server") ?? connectProblem(error);
  const message = messageOf(error);
  if (isOtherProtocol(error)) return "the program there does not speak the protocol of Redis";
  if (message === "Command timed out") return `no answer within ${COMMAND_TIMEOUT_MS} ms`;
  return isClosing(error) ? "connection closed" : message;
}

function isClosing(error: unknown): boolean {
  return /^Connection is closed|^Stream isn't writeable/.test(messageOf(error));
}
