// Decides what happens to one fact when the root and the engine are compared. Pure. The first line that applies counts:
//
//   engine                  root                              decision
//   same generation         same value                        nothing
//   same generation         lost, and not by an operator      take the engine's again
//   same generation         changed                           send
//   newer, same value       (any)                             agree
//   newer                   unchanged                         take
//   newer                   changed by an operator            send over it
//   newer                   changed otherwise                 take: the engine's value wins
//   older or empty          unchanged                         send again, as the generation that it had
//   older or empty          changed                           send
//   older or empty          lost, and not by an operator      nothing: another replica has it

/** `mark`s are hashes of values; "" if there is none. */
export interface Comparison {
  /** What both last agreed on. */
  readonly agreed: { readonly generation: number; readonly mark: string };
  readonly engine: { readonly generation: number; readonly mark: string };
  readonly rootMark: string;
  /** An operator has changed or removed the fact in this root. */
  readonly isPending: boolean;
}

export type Decision =
  | { readonly kind: "nothing" }
  /** Both have the same value. */
  | { readonly kind: "agree" }
  | { readonly kind: "take" }
  /** Write the root's value as `generation`. */
  | { readonly kind: "send"; readonly generation: number };

export function decide({ agreed, engine, rootMark, isPending }: Comparison): Decision {
  const isChanged = rootMark !== agreed.mark;
  const isLost = isChanged && rootMark === "" && !isPending;
  const next = { kind: "send", generation: Math.max(engine.generation, agreed.generation) + 1 } as const;
  if (engine.generation === agreed.generation) {
    if (!isChanged) return isPending ? { kind: "agree" } : { kind: "nothing" };
    return isLost ? { kind: "take" } : next;
  }
  if (engine.generation > agreed.generation) {
    if (engine.mark === rootMark) return { kind: "agree" };
    return isChanged && isPending ? next : { kind: "take" };
  }
  if (isLost) return { kind: "nothing" };
  return isChanged ? next : { kind: "send", generation: agreed.generation };
}
