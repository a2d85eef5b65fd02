// What is set for an account: its priority, floors, tags and note, and where each has its value from.

import { type OptionSource, optionTexts } from "../../../core/option-words.ts";
import type { FrameRow } from "../../../core/status-rows.ts";
import type { AccountAnswer } from "../../../core/status-schema.ts";

export function AccountOptions(props: {
  readonly account: AccountAnswer;
  readonly row: FrameRow;
  /** Undefined if they are not known, as those of a child proxy's accounts. */
  readonly sources: readonly OptionSource[] | undefined;
}) {
  const { account, row, sources } = props;
  const words = summaryOf(row);
  if (sources === undefined) return words === "" ? null : <span class="muted facts">{words}</span>;
  return (
    <details class="options facts">
      {/* A value may be the default, as a priority of 0 is. */}
      <summary>{words || "options"}</summary>
      <ul>
        {optionTexts(account, sources).map((text) => (
          <li key={text}>{text}</li>
        ))}
      </ul>
    </details>
  );
}

// --- internal ---

function summaryOf({ texts }: FrameRow): string {
  const { PRIORITY: priority, FLOORS: floors, TAGS: tags, NOTE: note } = texts;
  return [
    ...(priority === undefined ? [] : [`priority ${priority}`]),
    ...(floors === undefined ? [] : [`keeps back ${floors}`]),
    ...(tags === undefined ? [] : [`tags ${tags}`]),
    ...(note === undefined ? [] : [`"${note}"`]),
  ].join(" · ");
}
