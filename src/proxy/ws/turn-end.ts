// How a turn on a WebSocket ended for its tunnel.

export type TurnEnd =
  /** The next turn may begin. */
  | { readonly kind: "over" }
  /** Close the client's socket with this code. */
  | { readonly kind: "close"; readonly code: number; readonly reason: string }
  /** The tunnel was closed. */
  | { readonly kind: "closed" };
