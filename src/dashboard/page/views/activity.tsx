// What happens now: the requests in flight, the last switches between accounts, and the sessions.

import { useState } from "preact/hooks";
import { durationText } from "../../../core/duration-text.ts";
import { switchWords } from "../../../core/reason-words.ts";
import { ago } from "../../../core/time-words.ts";
import type { Snapshot } from "../../messages.ts";
import { AccountSelect, upstreamsOf } from "../parts/account-select.tsx";
import { Table } from "../parts/table.tsx";

export function ActivityView({ snapshot, nowMs }: { readonly snapshot: Snapshot; readonly nowMs: number }) {
  const [account, setAccount] = useState("");
  const { status } = snapshot;
  const isShown = (...names: readonly string[]) => account === "" || names.includes(account);
  const requests = snapshot.requests.filter(({ upstream }) => isShown(upstream));
  const sessions = snapshot.sessions.filter(({ upstream }) => isShown(upstream));
  const switches = (status.switches ?? []).filter(({ from, to }) => isShown(from, to));
  const busy = new Set(snapshot.requests.map(({ session }) => session));
  const of = account === "" ? "" : ` of ${account}`;
  return (
    <>
      <div class="filters">
        <AccountSelect value={account} names={upstreamsOf(status)} choose={setAccount} />
      </div>
      <section>
        <h2>Requests in flight</h2>
        {requests.length === 0 ? (
          <p class="empty small">No request{of} is in flight.</p>
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
          <p class="empty small">No switch{of} since the proxy started.</p>
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
          <p class="empty small">No session{of} yet.</p>
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
