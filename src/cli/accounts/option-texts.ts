// The options of an account and where each has its value from, for `codexlb account show`. Pure.

import type { AccountDetails } from "../../auth/account-details.ts";
import { changeWords } from "../../core/option-words.ts";
import { shortLine } from "../../printable.ts";

/** One text for each option that is set: `priority 10 (from config.toml line 4)`. */
export function optionTexts({ status, options }: AccountDetails): string[] {
  const words: Readonly<Record<string, string>> = {
    priority: changeWords({ priority: status.priority ?? 0 }),
    floor_daily: changeWords({ floorDaily: status.floor_daily_pct ?? 0 }),
    floor_weekly: changeWords({ floorWeekly: status.floor_weekly_pct ?? 0 }),
    tags: changeWords({ tags: status.tags ?? [] }),
    note: changeWords({ note: status.note ?? "" }),
  };
  return options.map(({ name, source }) => shortLine(`${words[name] ?? name} (from ${source})`));
}
