// The description of a load, which the benchmark sends to the process that produces the load.

interface Target {
  /** Scheme, host and port of the proxy or the backend. */
  readonly origin: string;
  /** Credentials and other headers of every request. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Requests in a closed loop on open connections, each connection with a session of its own. */
export interface RequestLoad extends Target {
  readonly kind: "requests";
  readonly path: string;
  readonly bodyBytes: number;
  readonly connections: number;
  /** A new session for every request. Default: false. */
  readonly freshSessions?: boolean;
}

/** Paced streams that all begin together; an operation is one event. */
export interface StreamLoad extends Target {
  readonly kind: "streams";
  readonly streams: number;
  readonly everyMs: number;
}

/** Turns, or messages that are returned, in a closed loop on open WebSockets. */
export interface SocketLoad extends Target {
  readonly kind: "sockets";
  readonly sockets: number;
  readonly exchange: "turn" | "echo";
}

/** A new WebSocket and one turn on it, one at a time. */
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

/** The figures that a load measured, by name; times in ms. */
export type LoadFigures = Readonly<Record<string, number>>;

/** Runs the load for `operations` operations. Rejects when one of them does not succeed. */
export type Load = (operations: number) => Promise<LoadFigures>;
