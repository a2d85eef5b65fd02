// Which account gets the next turn, and why the others do not.

import { useEffect, useState } from "preact/hooks";
import type { PoolExplanation } from "../../../core/explain.ts";
import { bindingText, termText, tierWords, whyWords } from "../../../core/explanation-words.ts";
import { choiceWords, WINDOW_LIMITS } from "../../../core/reason-words.ts";
import { until } from "../../../core/time-words.ts";
import type { Snapshot } from "../../messages.ts";
import { StateMark } from "../parts/state-mark.tsx";
import { Table } from "../parts/table.tsx";
import { request } from "../session.ts";

export function ExplainView({ snapshot, nowMs }: { readonly snapshot: Snapshot; readonly nowMs: number }) {
  const [session, setSession] = useState("");
  const [model, setModel] = useState("");
  const [tags, setTags] = useState("");
  const [isStrict, setIsStrict] = useState(false);
  const [answer, setAnswer] = useState<PoolExplanation | string | undefined>(undefined);
  // Asked again whenever the state of the proxy changes.
  const { atMs } = snapshot;
  useEffect(() => {
    const ending = new AbortController();
    const query = new URLSearchParams({ session, model, tags, only: isStrict ? "1" : "", at: String(atMs) });
    request(`explain?${query}`, { signal: ending.signal })
      .then((response) => response.json())
      .then(setAnswer)
      .catch((error) => {
        if (!ending.signal.aborted) setAnswer(error instanceof Error ? error.message : String(error));
      });
    return () => ending.abort();
  }, [session, model, tags, isStrict, atMs]);
  return (
    <>
      <h2 class="hidden">Next turn</h2>
      <div class="filters">
        <label>
          <span>Session</span>
          <input
            list="sessions"
            value={session}
            placeholder="a new session"
            onInput={({ currentTarget }) => setSession(currentTarget.value)}
          />
        </label>
        <datalist id="sessions">
          {snapshot.sessions.map((one) => (
            <option key={one.session} value={one.session} />
          ))}
        </datalist>
        <label>
          <span>Model</span>
          <input
            value={model}
            placeholder="the main limit"
            onInput={({ currentTarget }) => setModel(currentTarget.value)}
          />
        </label>
        <label>
          <span>Tags</span>
          <input
            list="tags"
            value={tags}
            placeholder="none"
            onInput={({ currentTarget }) => setTags(currentTarget.value)}
          />
        </label>
        <datalist id="tags">
          {[...new Set(snapshot.status.accounts.flatMap((account) => account.tags ?? []))].map((tag) => (
            <option key={tag} value={tag} />
          ))}
        </datalist>
        <label class="check">
          <input
            type="checkbox"
            checked={isStrict}
            onChange={({ currentTarget }) => setIsStrict(currentTarget.checked)}
          />
          <span>Only accounts with a tag</span>
        </label>
      </div>
      {typeof answer === "string" && (
        <p class="failure" role="alert">
          {answer}
        </p>
      )}
      {typeof answer === "object" && <Explanation explained={answer} nowMs={nowMs} />}
    </>
  );
}

// --- internal ---

function Explanation({ explained, nowMs }: { readonly explained: PoolExplanation; readonly nowMs: number }) {
  const { accounts, chosen, reason, back_at_ms: backMs, pinned, session, bound_to, held, mode } = explained;
  if (accounts.length === 0) return <p class="empty">No accounts.</p>;
  const isMonthly = accounts.some(({ terms }) => terms.some(({ window }) => window === "monthly"));
  const windows = (["daily", "weekly", "monthly"] as const).filter((name) => name !== "monthly" || isMonthly);
  const ownLimits = accounts.some(({ limit }) => limit !== undefined);
  const facts = [
    `policy ${mode}`,
    ...(pinned === undefined ? [] : [`${pinned} is pinned`]),
    ...(session === undefined ? [] : [bindingText(bound_to, held)]),
  ];
  return (
    <>
      <p class="verdict" role="status">
        {chosen === undefined ? (
          <>
            No account is available
            {backMs !== undefined && `; the first one is available again ${until(backMs, nowMs)}`}.
          </>
        ) : (
          <>
            The next turn goes to <strong>{chosen}</strong>
            {reason !== undefined && ` (${choiceWords(reason)})`}.
          </>
        )}{" "}
        <span class="muted">{facts.join("; ")}</span>
      </p>
      <Table
        caption="Accounts for the next turn"
        columns={[
          { heading: "Account" },
          { heading: "Status" },
          { heading: "Why" },
          ...(ownLimits ? [{ heading: "Limit" }] : []),
          { heading: "In flight", kind: "number" },
          { heading: "Score", kind: "number" },
          ...windows.map((name) => ({ heading: WINDOW_LIMITS[name], kind: "number" as const })),
          { heading: "Urgency", kind: "number" },
        ]}
        rows={accounts.map((account) => {
          const [words, level] = tierWords(account);
          return {
            key: account.id,
            class: account.alias === chosen ? "active" : "",
            cells: [
              <strong key="account">{account.alias}</strong>,
              <StateMark key="state" level={level}>
                {words}
              </StateMark>,
              whyWords(account.why),
              ...(ownLimits ? [account.limit ?? "main"] : []),
              account.in_flight,
              account.score.toFixed(3),
              ...windows.map((name) => termText(account, name)),
              account.urgency.toFixed(2),
            ],
          };
        })}
      />
    </>
  );
}
