// Finds the session that the beginning of its id names, in the event log.

import { logEventIn } from "../../core/log-event.ts";
import { usage } from "../flags.ts";
import { type LogReader, readPages } from "./log-reader.ts";

/**
 * The id of the session in the log that begins with `given`; `given` itself if there is none, because its requests may
 * still come. Throws `usage` if several sessions begin with it and none has exactly this id.
 */
export async function sessionInLog(read: LogReader, given: string): Promise<string> {
  if (given === "" || FULL_ID.test(given)) return given;
  const found = new Set<string>();
  const start = { offset: 0, tail: PAGE_LINES, limit: PAGE_LINES, toEnd: true, shown: undefined };
  await readPages(read, start, (text) => {
    for (const line of text.split("\n")) {
      if (!line.includes(given)) continue;
      const session = logEventIn(line)?.fields.session;
      if (typeof session === "string" && session.startsWith(given)) found.add(session);
    }
  });
  if (found.has(given) || found.size === 0) return given;
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return only;
  throw usage(
    `flag --session: ${found.size} session ids begin with ${JSON.stringify(given)}`,
    `give more characters of the id: ${[...found].slice(-MOST_SHOWN).join(", ")}`,
  );
}

// --- internal ---

/** The form of Codex's session ids. */
const FULL_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const PAGE_LINES = 5_000;
const MOST_SHOWN = 5;
