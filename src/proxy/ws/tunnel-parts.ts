// The state that the parts of a tunnel share.

import type { IncomingRequest, ProxyContext } from "../context.ts";
import type { Handovers } from "../handovers.ts";
import type { ClientEnd } from "./client-end.ts";
import type { UpstreamEnd } from "./upstream-end.ts";

export interface TunnelContext extends ProxyContext {
  readonly handovers: Handovers;
}

export interface TunnelParts {
  /** The handshake. */
  readonly incoming: IncomingRequest;
  readonly session: string | undefined;
  readonly client: ClientEnd;
  readonly upstream: UpstreamEnd;
  /** Aborted when the tunnel closes. */
  readonly signal: AbortSignal;
}
