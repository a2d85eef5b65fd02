// The state that the parts of a tunnel share.

import type { IncomingRequest, ProxyContext } from "../context.ts";
import type { Handovers } from "../handovers.ts";
import type { ClientEnd } from "./client-end.ts";
import type { Closing } from "./closing.ts";
import type { UpstreamEnd } from "./upstream-end.ts";

/** The copies of a turn in memory: the message, the frame it arrived in, and the frame it is sent in. */
export const COPIES_OF_TURN = 3;

export interface TunnelContext extends ProxyContext {
  readonly handovers: Handovers;
}

export interface TunnelParts {
  /** The handshake. */
  readonly incoming: IncomingRequest;
  readonly session: string | undefined;
  readonly client: ClientEnd;
  readonly upstream: UpstreamEnd;
  readonly closing: Closing;
}
