// The parts of SQL that queries of usage.db and the sums of sessions share.

/**
 * The single turns whose ids are from `$since` to before `$until`, in the form of `days`, with `$time` as their time.
 */
export const TURNS = `(
  SELECT $time AS time, started_ms, coalesce(account, '') AS account, coalesce(proxy, '') AS proxy,
    coalesce(served_model, requested_model, '') AS model, coalesce(project, '') AS project,
    coalesce(client, '') AS client, coalesce(session, '') AS session, kind, outcome,
    1 AS turns, output_tokens IS NOT NULL AS reported, coalesce(input_tokens, 0) AS input_tokens,
    coalesce(cached_tokens, 0) AS cached_tokens, coalesce(output_tokens, 0) AS output_tokens,
    coalesce(reasoning_tokens, 0) AS reasoning_tokens, first_output_ms IS NOT NULL AS first_outputs,
    coalesce(first_output_ms, 0) AS first_output_ms
  FROM turns WHERE id >= $since AND id < $until)`;

/** The columns that a report sums. */
export const SUMMED = [
  ...(["turns", "failed", "reported", "input_tokens", "cached_tokens", "output_tokens"] as const),
  ...(["reasoning_tokens", "first_outputs", "first_output_ms"] as const),
] as const;

/** The sum of each column over rows of turns, of which not all count as turns. */
export const SUMS_OF_TURNS: Readonly<Record<(typeof SUMMED)[number], string>> = {
  turns: counted("turns"),
  failed: counted("turns", "outcome IN ('failed', 'cut', 'refused')"),
  reported: counted("reported"),
  input_tokens: "sum(input_tokens)",
  cached_tokens: "sum(cached_tokens)",
  output_tokens: "sum(output_tokens)",
  reasoning_tokens: "sum(reasoning_tokens)",
  first_outputs: counted("first_outputs"),
  first_output_ms: counted("first_output_ms"),
};

/** What identifies a session to a person: its directory, and when its first and its last turn began, Unix ms. */
export const SESSION_COLUMNS = ["project", "first_ms", "last_ms"] as const;

/** Each of these columns over the turns of a session. */
export const SESSION_OF_TURNS: Readonly<Record<(typeof SESSION_COLUMNS)[number], string>> = {
  project: "max(project)",
  first_ms: "min(started_ms)",
  last_ms: "max(started_ms)",
};

// --- internal ---

/** The sum of `column` over turns: not over requests that only prepare a connection, nor parts of turns that moved on. */
function counted(column: string, condition = "true"): string {
  return `sum(CASE WHEN kind <> 'prewarm' AND outcome <> 'moved' AND ${condition} THEN ${column} ELSE 0 END)`;
}
