// Runs the executable as a proxy in front of a backend that the test implements.

import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Executable, executable } from "../support/executable.ts";
import type { StatusView } from "../support/pool.ts";
import { vitalsDuring } from "../support/vitals.ts";

export interface HardenedProxy extends AsyncDisposable {
  readonly tool: Executable;
  url(): string;
  pid(): number;
  /** Stops the proxy and starts it again on the same root. */
  restart(): Promise<void>;
  status(): Promise<StatusView>;
  /** The number of requests under way, over all accounts. */
  inFlight(): Promise<number>;
  /** Runs `attack`. Throws if the proxy was slow to respond to other clients meanwhile or used too much memory. */
  endures(what: string, attack: () => Promise<void>): Promise<void>;
}

/** How long a proxy may delay other requests, apart from its own wait for a processor. */
const LONGEST_MS = 250;
const MOST_MIB = 400;

export interface ProxyOptions {
  readonly upstream: string;
  readonly aliases?: readonly string[];
  /** Text to append to config.toml. */
  readonly config?: string;
  /** Default: an address that refuses connections. */
  readonly tokenUrl?: string;
  /** The refresh token of every login. Default: none. */
  readonly refreshToken?: string;
  /** Called after the root is prepared and before the proxy starts. */
  readonly prepare?: (tool: Executable) => void;
}

export async function startHardened({
  upstream,
  aliases = ["alice", "bob"],
  config = "",
  tokenUrl = "http://127.0.0.1:9/oauth/token",
  refreshToken,
  prepare = () => {},
}: ProxyOptions): Promise<HardenedProxy> {
  const tool = executable();
  const fields = refreshToken === undefined ? {} : { refresh_token: refreshToken };
  for (const alias of aliases) writeLogin(tool, alias, fields);
  appendFileSync(join(tool.root, "config.toml"), `[policy]\nmode = "sticky"\n${config}`);
  prepare(tool);
  const start = () =>
    tool.start(["proxy", "--listen", "127.0.0.1:0", "--upstream", upstream], {
      CODEXLB_TOKEN_URL: tokenUrl,
    });
  let proxy = await start();
  const url = () => /listening on (http:\S+)/.exec(proxy.firstLine)?.[1] ?? "";
  const status = async () => (await (await fetch(`${url()}/status`)).json()) as StatusView;
  const inFlight = async () => (await status()).accounts.reduce((sum, { in_flight }) => sum + in_flight, 0);
  return {
    tool,
    url,
    pid: () => proxy.pid,
    restart: async () => {
      await proxy.stop();
      proxy = await start();
    },
    status,
    inFlight,
    endures: async (what, attack) => {
      const { longestMs, controlMs, slowdown, peakMiB } = await vitalsDuring(
        what,
        { url: url(), pid: proxy.pid },
        attack,
      );
      if (longestMs > LONGEST_MS * slowdown + controlMs)
        throw new Error(
          `${what}: /healthz took ${longestMs.toFixed(0)} ms, a bare server ${controlMs.toFixed(0)} ms`,
        );
      if (peakMiB > MOST_MIB) throw new Error(`${what}: the proxy used ${peakMiB.toFixed(0)} MiB`);
    },
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]();
      tool[Symbol.dispose]();
    },
  };
}

/** Writes a login with an opaque token, which the test's backend does not check. */
export function writeLogin(tool: Executable, alias: string, fields: Record<string, unknown> = {}): void {
  const home = join(tool.root, "accounts", alias);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const tokens = { access_token: `token-${alias}`, account_id: `acct-${alias}`, ...fields };
  writeFileSync(join(home, "auth.json"), JSON.stringify({ auth_mode: "chatgpt", tokens }), { mode: 0o600 });
}

export const TURN = "/backend-api/codex/responses";

/** The events of one turn, as the backend sends them. */
export const TURN_EVENTS = [
  { type: "response.created", response: { id: "r" } },
  { type: "response.output_text.delta", delta: "hi" },
  { type: "response.completed", response: { id: "r", usage: {} } },
];

export function sseOf(events: readonly { readonly type: string }[]): string {
  return events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join("");
}

export function eventStream(
  body: string | ReadableStream<Uint8Array>,
  headers: Record<string, string> = {},
): Response {
  return new Response(body, { headers: { "content-type": "text/event-stream", ...headers } });
}
