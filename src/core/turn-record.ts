// The record of one turn: what it used, which upstream served it, and how it ended. It never contains the content of the
// turn.

/**
 * What a client can ask for. `turn`: output. `prewarm`: only the preparation of a WebSocket. `compaction`: one item that
 * replaces a session's history.
 */
export const CLIENT_TURN_KINDS = ["turn", "prewarm", "compaction"] as const;
/** `anchor`: the proxy itself sends a very small turn, to start a window of an account. */
export type TurnKind = (typeof CLIENT_TURN_KINDS)[number] | "anchor";

/** The session in the records of anchor turns, which belong to no session of a client. */
export const ANCHOR_SESSION = "anchor";

/**
 * `completed`, `incomplete`: the upstream's last event says so. `failed`: the client got the upstream's failure. `cut`:
 * the response broke off, and the client sends the turn again. `aborted`: the client disconnected. `refused`: no
 * upstream served the turn, and codexlb answered. `moved`: the client was asked to reconnect before any output, and to
 * send the turn to another upstream. The record of what it sends then is that of the whole turn, so reports leave the
 * moved part out.
 */
export const TURN_OUTCOMES = [
  ...(["completed", "incomplete", "failed", "cut", "aborted", "refused", "moved"] as const),
] as const;
export type TurnOutcome = (typeof TURN_OUTCOMES)[number];

export type TurnTransport = "sse" | "websocket";

/** The tokens of a turn, as the upstream reports them. `input` includes `cachedInput`; `output` includes `reasoning`. */
export interface TokenCounts {
  readonly input: number;
  readonly cachedInput: number;
  readonly output: number;
  readonly reasoning: number;
}

/** One change of the upstream within a turn. */
export interface TurnSwitch {
  /** Names of the upstreams: aliases of accounts, names of child proxies. */
  readonly from: string;
  readonly to: string;
  /** Why the first one did not serve the turn, such as `usage-limit`. */
  readonly reason: string;
}

export interface TurnRecord {
  /** When the turn began, Unix ms. */
  readonly startedMs: number;
  readonly kind: TurnKind;
  readonly transport: TurnTransport;
  readonly outcome: TurnOutcome;
  /** The code of a failure or a refusal, or the reason for an incomplete response. */
  readonly code: string | undefined;
  /** The id of the account that was used last; undefined for a child proxy, and if no upstream was used. */
  readonly accountId: string | undefined;
  readonly accountAlias: string | undefined;
  /** The proxy that used an account: this one, or the child that got the turn. Undefined if none was tried. */
  readonly proxy: string | undefined;
  /** Why the upstream was chosen, such as `affinity`. */
  readonly choice: string | undefined;
  readonly session: string | undefined;
  readonly requestedModel: string | undefined;
  /** The model that the response names. */
  readonly servedModel: string | undefined;
  /** Undefined if the turn ended without a report of its tokens. */
  readonly tokens: TokenCounts | undefined;
  /** From the start to the first output, ms. */
  readonly firstOutputMs: number | undefined;
  readonly durationMs: number;
  /** How many upstreams were tried. */
  readonly attempts: number;
  readonly switches: readonly TurnSwitch[];
  /** The name of the client's key. */
  readonly client: string | undefined;
  /** The id of the `codexlb run` that sent the turn. */
  readonly run: string | undefined;
  /** The working directory, if Codex sends it. */
  readonly project: string | undefined;
}
