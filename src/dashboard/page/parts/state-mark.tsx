// The state of an account or a proxy: a sign whose shape differs, and words.

import type { ComponentChildren } from "preact";
import type { StateLevel } from "../../../core/account-state.ts";

const SIGNS: Readonly<Record<StateLevel, string>> = { good: "●", low: "◐", bad: "✕", off: "○" };

export function StateMark(props: { readonly level: StateLevel; readonly children: ComponentChildren }) {
  return (
    <span class={`state ${props.level}`}>
      <span aria-hidden="true" class="sign">
        {SIGNS[props.level]}
      </span>
      <span>{props.children}</span>
    </span>
  );
}
