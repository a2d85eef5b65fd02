// The descriptions of loads. The benchmark sends one to the process that runs the load.

interface Target {
  /** The scheme, host and port of the proxy or the backend. */
  readonly origin: string;
  /** The credentials and other headers of every request. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Requests in a closed loop on open connections. Each connection has its own session. */
export interface RequestLoad extends Target {
  readonly kind: "requests";
  readonly path: string;
  readonly bodyBytes: number;
  readonly connections: number;
  /** Use a new session for every request. Default: false. */
  readonly freshSessions?: boolean;
}

/** Paced streams that all begin at the same time. An operation is one event. */
export interface StreamLoad extends Target {
  readonly kind: "streams";
  readonly streams: number;
  readonly everyMs: number;
}

/** Turns, or messages that the backend returns, in a closed loop on open WebSockets. */
export interface SocketLoad extends Target {
  readonly kind: "sockets";
  readonly sockets: number;
  readonly exchange: "turn" | "echo";
}

/** New WebSockets, each with one turn, one at a time. */
export interface DialLoad extends Target {
  readonly kind: "dials";
}

/** Connections that stay open and silent until the process ends. */
export interface IdleLoad extends Target {
  readonly kind: "idle";
  readonly of: "sockets" | "streams";
}

/** Turns that the first account refuses with a usage limit, one at a time. */
export interface FailoverLoad extends Target {
  readonly kind: "failovers";
}

export type LoadSpec = RequestLoad | StreamLoad | SocketLoad | DialLoad | IdleLoad | FailoverLoad;

/** The measured values by name; times in ms. */
export type LoadFigures = Readonly<Record<string, number>>;

/** Runs the load for `operations` operations. Rejects if one of them fails. */
export type Load = (operations: number) => Promise<LoadFigures>;
