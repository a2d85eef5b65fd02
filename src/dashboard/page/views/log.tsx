// The event log with filters, the newest event first.

import { useMemo, useState } from "preact/hooks";
import {
  concernsAccount,
  isRepetition,
  isSameFailure,
  isTransportDetail,
  sessionFilter,
} from "../../../core/event-filter.ts";
import { accountOf, eventText, eventTime, eventWords } from "../../../core/event-words.ts";
import type { LogLevel } from "../../../core/log-level.ts";
import type { StatusAnswer } from "../../../core/status-schema.ts";
import type { ShownLogEvent } from "../../messages.ts";
import { AccountSelect } from "../parts/account-select.tsx";
import { Table } from "../parts/table.tsx";

export interface LogProps {
  readonly events: readonly ShownLogEvent[];
  readonly status: StatusAnswer;
  readonly nowMs: number;
}

export function LogView({ events, status, nowMs }: LogProps) {
  const [account, setAccount] = useState("");
  const [session, setSession] = useState("");
  const [level, setLevel] = useState<LogLevel>("info");
  const [text, setText] = useState("");
  const [most, setMost] = useState(PAGE);
  const found = useMemo(() => {
    const filter = { account, session: session.trim(), level, text: text.trim().toLowerCase() };
    return grouped(selected(events, filter));
  }, [events, account, session, level, text]);
  const matches = found.reduce((sum, { times }) => sum + times, 0);
  return (
    <>
      <h2 class="hidden">Log</h2>
      <div class="filters">
        <AccountSelect
          value={account}
          names={status.accounts.map(({ alias }) => alias)}
          choose={setAccount}
        />
        <label>
          <span>Level</span>
          <select
            value={level}
            onChange={({ currentTarget }) =>
              setLevel(LEVELS.find((one) => one === currentTarget.value) ?? "info")
            }
          >
            {LEVELS.map((one) => (
              <option key={one} value={one}>
                {LEVEL_CHOICES[one]}
              </option>
            ))}
          </select>
        </label>
        <label>
          <span>Session</span>
          <input
            value={session}
            placeholder="all"
            onInput={({ currentTarget }) => setSession(currentTarget.value)}
          />
        </label>
        <label>
          <span>Text</span>
          <input
            type="search"
            value={text}
            placeholder="in any field"
            onInput={({ currentTarget }) => setText(currentTarget.value)}
          />
        </label>
        <span class="muted count" role="status">
          {matches} of {events.length} events
        </span>
      </div>
      {found.length === 0 ? (
        <p class="empty">No event matches.</p>
      ) : (
        <Table
          caption="Events"
          columns={[
            { heading: "Time" },
            { heading: "Level" },
            { heading: "Account" },
            { heading: "Event" },
            { heading: "Details" },
          ]}
          rows={found.slice(0, most).map(({ event, times }, index) => ({
            key: `${event.ts} ${event.event} ${String(event.fields.req_id)} ${found.length - index}`,
            class: `event ${event.level}`,
            cells: cellsOf(event, times, nowMs),
          }))}
        />
      )}
      {found.length > most && (
        <button type="button" onClick={() => setMost(most + PAGE)}>
          Show {Math.min(PAGE, found.length - most)} more
        </button>
      )}
      <p class="muted">
        Older events: <code>codexlb proxy logs --all</code>
      </p>
    </>
  );
}

// --- internal ---

const PAGE = 200;
const LEVELS = ["error", "warn", "info", "debug"] as const satisfies readonly LogLevel[];
const LEVEL_CHOICES: Readonly<Record<LogLevel, string>> = {
  error: "errors",
  warn: "warnings and errors",
  info: "without routine events",
  debug: "everything",
};

interface Filter {
  readonly account: string;
  readonly session: string;
  readonly level: LogLevel;
  /** In lower case. */
  readonly text: string;
}

function selected(
  events: readonly ShownLogEvent[],
  { account, session, level, text }: Filter,
): ShownLogEvent[] {
  const inSession = session === "" ? () => true : sessionFilter((one) => one.startsWith(session));
  const least = LEVELS.indexOf(level);
  return events.filter((event) => {
    // Always asked, because it remembers the requests of the session.
    if (!inSession(event) || LEVELS.indexOf(event.level) > least) return false;
    if (level !== "debug" && isTransportDetail(event)) return false;
    if (account !== "" && !concernsAccount(event, account)) return false;
    return text === "" || textOf(event).includes(text);
  });
}

/** An event, and how often it happened in a row. */
interface EventGroup {
  readonly event: ShownLogEvent;
  readonly times: number;
}

/** `events` with the repetitions of each one counted, the newest first. */
function grouped(events: readonly ShownLogEvent[]): EventGroup[] {
  const groups: EventGroup[] = [];
  for (const event of events) {
    const last = groups.at(-1);
    if (last !== undefined && (isRepetition(event, last.event) || isSameFailure(event, last.event)))
      groups[groups.length - 1] = { event, times: last.times + 1 };
    else groups.push({ event, times: 1 });
  }
  return groups.reverse();
}

function textOf(event: ShownLogEvent): string {
  return `${event.event} ${eventText(event, "→")} ${JSON.stringify(event.fields)}`.toLowerCase();
}

function cellsOf(event: ShownLogEvent, times: number, nowMs: number) {
  const { details } = eventWords(event);
  // A reason in parentheses is in the text already.
  const fields = details.startsWith("  ") ? details.trim() : "";
  return [
    <time key="time" dateTime={event.ts}>
      {eventTime(event.ts, nowMs)}
    </time>,
    <span key="level" class={`level ${event.level}`}>
      {event.level}
    </span>,
    accountOf(event),
    <span key="event" title={event.event}>
      {eventText(event, "→")}
      {times > 1 && <span class="muted"> {times} times</span>}
    </span>,
    fields !== "" && (
      <span key="details" class="muted details">
        {fields}
      </span>
    ),
  ];
}
