// The turn under way on a WebSocket: the request as it is to be sent, and what is held back of its answer.

import { isSelfContained, portableRequest, TURN_STATE } from "./portable.ts";

export interface SocketTurn {
  /** The client's request, as it is to be sent. */
  request: string;
  /** The connection is only being warmed up: no message is counted. */
  readonly warmUp: boolean;
  readonly selfContained: boolean;
  readonly startedMs: number;
  /** Output, or the whole preamble, has gone to the client. */
  committed: boolean;
  /** Output has gone to the client: the account is credited for it. */
  served: boolean;
  /** It has left its socket and has no other one yet. */
  moving: boolean;
  /** It was sent again without another account's ciphertext. */
  repaired: boolean;
  /** How often it was sent to another socket. */
  moves: number;
  readonly tried: Set<string>;
  readonly held: string[];
  heldChars: number;
  cancelTimer: () => void;
}

/** A turn that begins with the client's `request` (a `response.create` message). */
export function newTurn(request: string, startedMs: number): SocketTurn {
  return {
    request,
    warmUp: /"generate"\s*:\s*false/.test(request),
    selfContained: isSelfContained(request),
    startedMs,
    committed: false,
    served: false,
    moving: false,
    repaired: false,
    moves: 0,
    tried: new Set(),
    held: [],
    heldChars: 0,
    cancelTimer: () => {},
  };
}

/** Forgets what was held: the turn starts over elsewhere. */
export function discardHeld(turn: SocketTurn): void {
  turn.cancelTimer();
  turn.held.length = 0;
  turn.heldChars = 0;
}

/** The request without the token that ties its turn to the server that began it. */
export function withoutTurnState(request: string): string {
  return request.includes(`"${TURN_STATE}"`) ? (portableRequest(request) ?? request) : request;
}
