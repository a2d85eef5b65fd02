// Decides what happens to one fact when the root and the engine are compared. Pure. The first line that applies counts:
//
//   engine                  root                              decision
//   same generation         same value                        nothing, or renew the generation of a login that an
//                                                             operator has imported again
//   same generation         lost, and not by an operator      take the engine's again
//   same generation         changed                           send
//   newer, same value       (any)                             agree
//   newer                   unchanged                         take, or send over it if an operator has set it to this
//                                                             value; a login is taken, because it may be a renewal
//   newer                   changed by an operator            send over it
//   newer                   changed otherwise                 take: the engine's value wins
//   older or empty          unchanged                         send again, as the generation that it had
//   older or empty          changed                           send
//   older or empty          lost, and not by an operator      nothing: another replica has it

import type { OperatorChange } from "./replica-file.ts";

/** `mark`s are hashes of values; "" if there is none. */
export interface Comparison {
  /** What both last agreed on. */
  readonly agreed: { readonly generation: number; readonly mark: string };
  readonly engine: { readonly generation: number; readonly mark: string };
  readonly rootMark: string;
  /** What an operator has done to the fact in this root. */
  readonly operator: OperatorChange;
  readonly isLogin: boolean;
}

export type Decision =
  | { readonly kind: "nothing" }
  /** Both have the same value. */
  | { readonly kind: "agree" }
  | { readonly kind: "take" }
  /** Write the root's value as `generation`. */
  | { readonly kind: "send"; readonly generation: number }
  /** Write the same login as the next generation if its refresh token counts as refused; otherwise like `agree`. */
  | { readonly kind: "revive" };

export function decide({ agreed, engine, rootMark, operator, isLogin }: Comparison): Decision {
  const isChanged = rootMark !== agreed.mark;
  const isPending = operator !== "none";
  const isSet = operator === "done";
  const isLost = isChanged && rootMark === "" && !isPending;
  const next = { kind: "send", generation: Math.max(engine.generation, agreed.generation) + 1 } as const;
  if (engine.generation === agreed.generation) {
    if (!isChanged && isSet && isLogin && rootMark !== "") return { kind: "revive" };
    if (!isChanged) return isPending ? { kind: "agree" } : { kind: "nothing" };
    return isLost ? { kind: "take" } : next;
  }
  if (engine.generation > agreed.generation) {
    if (engine.mark === rootMark) return { kind: "agree" };
    return (isChanged && isPending) || (isSet && !isLogin) ? next : { kind: "take" };
  }
  if (isLost) return { kind: "nothing" };
  return isChanged ? next : { kind: "send", generation: agreed.generation };
}
