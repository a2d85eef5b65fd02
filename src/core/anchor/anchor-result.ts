// The end of an anchor turn.

export type AnchorResult =
  /** `tokens`: input and output; undefined if the backend did not report them. */
  | { readonly kind: "served"; readonly tokens: number | undefined; readonly durationMs: number }
  | { readonly kind: "failed"; readonly why: string };
