// The failovers within turns.

import { switchWords } from "../../../core/reason-words.ts";
import type { UsageAnswer } from "../../messages.ts";
import { Table } from "./table.tsx";

export function UsageSwitches({ answer: { switches, report } }: { readonly answer: UsageAnswer }) {
  const { since_ms: sinceMs, until_ms: untilMs, keep_days: keptDays } = report;
  return (
    <section>
      <h2>Failovers within a turn</h2>
      {switches.length === 0 ? (
        <p class="empty small">No turn failed over to another account.</p>
      ) : (
        <Table
          caption="Failovers within a turn"
          columns={[{ heading: "Failover" }, { heading: "Reason" }, { heading: "Times", kind: "number" }]}
          rows={switches.map((one) => ({
            key: `${one.from}\0${one.to}\0${one.reason}`,
            cells: [
              <span key="switch">
                {one.from} → <strong>{one.to}</strong>
              </span>,
              switchWords(one),
              String(one.times),
            ],
          }))}
        />
      )}
      {untilMs - sinceMs > (keptDays + 1) * DAY_MS && (
        <p class="muted note">Failovers are known for the last {keptDays} days.</p>
      )}
    </section>
  );
}

// --- internal ---

const DAY_MS = 86_400_000;
