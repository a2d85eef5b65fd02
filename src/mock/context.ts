// The state that the parts of the simulated backend share.

import type { Clock } from "../deps.ts";
import type { MockAccounts } from "./accounts.ts";
import type { FaultPoint, FaultScript } from "./faults.ts";
import type { TurnMaker } from "./turns.ts";

/** A request that the backend received. */
export interface MockRequest {
  readonly point: FaultPoint;
  readonly method: string;
  readonly path: string;
  /** Alias of the authenticated account. */
  readonly account: string | undefined;
  readonly headers: Record<string, string>;
  /** The decoded JSON body or message, if there was one. */
  readonly json: unknown;
}

export interface MockContext {
  readonly accounts: MockAccounts;
  readonly faults: FaultScript;
  readonly turns: TurnMaker;
  readonly clock: Clock;
  /** Every request in order of arrival; bounded. */
  readonly requests: readonly MockRequest[];
  note(request: MockRequest): void;
  /** Counts the tokens of an event that is sent. */
  sends(event: Record<string, unknown>): void;
}
