// The simulated ChatGPT backend on loopback: every endpoint that Codex and the proxy use, with the real rules (tokens,
// quota, ciphertext, response ids) and scripted faults. It responds only as the real backend was observed to respond.

import type { Clock } from "../deps.ts";
import { CodexlbError } from "../errors.ts";
import { raiseBunHeadLimit } from "../proxy/request-head.ts";
import { createMockAccounts, type MockAccountOptions, type MockAccounts } from "./accounts.ts";
import { mockApp } from "./app.ts";
import { check } from "./check.ts";
import type { MockContext, MockRequest } from "./context.ts";
import { createFaultScript, type FaultScript } from "./faults.ts";
import { createSentUsage, type SentUsage } from "./sent-usage.ts";
import { MESSAGE_LIMIT_HEADERS, type MockSocket, socketHandlers } from "./socket.ts";
import { mockAuthFile } from "./tokens.ts";
import { createTurnMaker } from "./turns.ts";
import { modelsEtag, rateHeaders } from "./wire.ts";

export interface MockOptions {
  readonly accounts: readonly MockAccountOptions[];
  /** Port on 127.0.0.1; default: any free one. */
  readonly port?: number;
  readonly clock: Clock;
  /** How long access tokens are valid. Default: one hour. */
  readonly tokenSeconds?: number;
  /** The response to `GET …/models`. Default: an empty catalogue, with which Codex uses its own. */
  readonly models?: unknown;
}

export interface MockBackend {
  /** Scheme, host and port. */
  readonly origin: string;
  /** The value for `upstream_base_url`. */
  readonly baseUrl: string;
  /** The base URL of the simulated OpenAI API. */
  readonly apiUrl: string;
  readonly tokenUrl: string;
  readonly accounts: MockAccounts;
  readonly faults: FaultScript;
  /** Every request in order of arrival; WebSocket messages count as requests. Bounded: the last 10,000. */
  readonly requests: MockRequest[];
  /** The tokens that the backend has reported to its clients. */
  sentUsage(): SentUsage;
  /** auth.json of a fresh login of `alias`; `expiresInSeconds` may be negative for an expired token. */
  authFile(alias: string, expiresInSeconds?: number): string;
  stop(): Promise<void>;
}

const LOG_LIMIT = 10_000;

/** Starts the backend. Throws if the port is taken. */
export function startMock(options: MockOptions): MockBackend {
  const { clock } = options;
  const requests: MockRequest[] = [];
  const sent = createSentUsage();
  const context: MockContext = {
    clock,
    accounts: createMockAccounts(options.accounts, clock, options.tokenSeconds),
    faults: createFaultScript(),
    turns: createTurnMaker(),
    requests,
    sends: sent.add,
    note: (request) => {
      requests.push(request);
      if (requests.length > LOG_LIMIT) requests.shift();
    },
  };
  const app = mockApp(context, options.models);
  raiseBunHeadLimit();
  let server: ReturnType<typeof Bun.serve<MockSocket>>;
  try {
    server = Bun.serve<MockSocket>({
      hostname: "127.0.0.1",
      port: options.port ?? 0,
      idleTimeout: 0,
      development: false,
      reusePort: false,
      fetch: async (request, self) => {
        if ((request.headers.get("upgrade") ?? "").toLowerCase() !== "websocket") return app.fetch(request);
        const checked = await check(context, request, ["upgrade"], undefined);
        if (checked instanceof Response) return checked;
        const data: MockSocket = {
          path: new URL(request.url).pathname,
          account: checked,
          responses: new Set(),
        };
        const headers =
          checked.apiKey !== undefined
            ? {}
            : {
                ...rateHeaders(context.accounts.rates(checked), checked.plan),
                "x-models-etag": modelsEtag(checked),
                ...MESSAGE_LIMIT_HEADERS,
              };
        return self.upgrade(request, { data, headers })
          ? undefined
          : new Response("not a WebSocket", { status: 400 });
      },
      websocket: socketHandlers(context),
    });
  } catch (error) {
    throw new CodexlbError(
      "listen_failed",
      `starting the simulated backend on port ${options.port}: the address is in use`,
      {
        next: "choose another --port",
        cause: error,
      },
    );
  }
  const origin = `http://127.0.0.1:${server.port}`;
  return {
    origin,
    baseUrl: `${origin}/backend-api`,
    apiUrl: `${origin}/v1`,
    tokenUrl: `${origin}/oauth/token`,
    accounts: context.accounts,
    faults: context.faults,
    requests,
    sentUsage: sent.sums,
    authFile: (alias, expiresInSeconds) => {
      const account = context.accounts.byAlias(alias);
      return mockAuthFile(account, context.accounts.issue(account, expiresInSeconds), clock.now());
    },
    stop: () => server.stop(true),
  };
}
