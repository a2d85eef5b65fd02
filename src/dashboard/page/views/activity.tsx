// What happens now: the requests in flight, the last switches between accounts, and the sessions.

import { durationText } from "../../../core/duration-text.ts";
import { switchWords } from "../../../core/reason-words.ts";
import { ago } from "../../../core/time-words.ts";
import type { Snapshot } from "../../messages.ts";
import { Table } from "../parts/table.tsx";

export function ActivityView({ snapshot, nowMs }: { readonly snapshot: Snapshot; readonly nowMs: number }) {
  const { requests, sessions, status } = snapshot;
  const switches = status.switches ?? [];
  const busy = new Set(requests.map(({ session }) => session));
  return (
    <>
      <section>
        <h2>Requests in flight</h2>
        {requests.length === 0 ? (
          <p class="empty small">No request is in flight.</p>
        ) : (
          <Table
            caption="Requests in flight"
            columns={[
              { heading: "Account" },
              { heading: "Session" },
              { heading: "Model" },
              { heading: "Runs for", kind: "number" },
            ]}
            rows={requests.map(({ id, upstream, session, model, startedMs }) => ({
              key: String(id),
              cells: [
                <strong key="account">{upstream}</strong>,
                <code key="session">{session ?? ""}</code>,
                model ?? "",
                durationText(Math.max(0, Math.round((nowMs - startedMs) / 1000))),
              ],
            }))}
          />
        )}
      </section>
      <section>
        <h2>Switches</h2>
        {switches.length === 0 ? (
          <p class="empty small">No switch since the proxy started.</p>
        ) : (
          <Table
            caption="Switches"
            columns={[
              { heading: "When" },
              { heading: "From" },
              { heading: "To" },
              { heading: "Reason" },
              { heading: "Session" },
            ]}
            rows={switches.map((one, index) => ({
              key: `${one.at_ms} ${index}`,
              cells: [
                <time key="when" dateTime={new Date(one.at_ms).toISOString()}>
                  {ago(one.at_ms, nowMs)}
                </time>,
                one.from,
                <strong key="to">{one.to}</strong>,
                switchWords(one),
                one.session !== undefined && <code key="session">{one.session}</code>,
              ],
            }))}
          />
        )}
      </section>
      <section>
        <h2>Sessions</h2>
        {sessions.length === 0 ? (
          <p class="empty small">No session yet.</p>
        ) : (
          <Table
            caption="Sessions"
            columns={[{ heading: "Session" }, { heading: "Stays with" }, { heading: "State" }]}
            rows={sessions.map(({ session, upstream, held }) => ({
              key: session,
              cells: [
                <code key="session">{session}</code>,
                <strong key="account">{upstream}</strong>,
                [
                  busy.has(session) ? "in a turn" : "idle",
                  ...(held ? ["only this account can read it"] : []),
                ].join(", "),
              ],
            }))}
          />
        )}
      </section>
    </>
  );
}
