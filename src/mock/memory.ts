// The notes and the history of sessions, which the backend keeps for each account (alpha/notes/v2, alpha/history/v2).
//
// The requests are those of Codex 0.171: POST, with `context.session_id` in the body. Codex passes any JSON response on
// to the model. Of a hint it reads only `text`, which it adds to the first turn, so all responses here have their text
// there. An empty list has the form in Codex's own tests. Reading a note that the account does not have returns 404.

import { z } from "zod";
import type { MockAccount } from "./accounts.ts";

export interface MemoryPath {
  readonly kind: "notes" | "history";
  readonly operation: string;
}

export interface MockMemory {
  /** The response to a request of `account` whose body is `json`. */
  answer(account: MockAccount, path: MemoryPath, json: unknown): Response;
}

/** The operation on notes or history that `path` names; undefined if it names none. */
export function memoryPathOf(path: string): MemoryPath | undefined {
  const [, kind, operation] = /\/alpha\/(notes|history)\/v2\/([a-z_]+)$/.exec(path) ?? [];
  return (kind === "notes" || kind === "history") && operation !== undefined
    ? { kind, operation }
    : undefined;
}

export function createMemory(): MockMemory {
  /** Text by account, session and path. */
  const notes = new Map<string, string>();
  return {
    answer: (account, { kind, operation }, json) => {
      const call = Call.safeParse(json);
      if (!call.success) return Response.json({ detail: "invalid request" }, { status: 422 });
      const { context, path = "", text = "" } = call.data;
      const prefix = `${account.accountId} ${context.session_id} `;
      if (kind === "history")
        return operation === "read_item" ? notFound("No item found") : Response.json(EMPTY_LIST);
      switch (operation) {
        case "write_file":
          notes.set(prefix + path, text);
          return Response.json({ text: "written" });
        case "append_to_file":
          notes.set(prefix + path, (notes.get(prefix + path) ?? "") + text);
          return Response.json({ text: "written" });
        case "read_file": {
          const note = notes.get(prefix + path);
          return note === undefined ? notFound("No note found") : Response.json({ text: note });
        }
        case "thread_hint": {
          const paths = [...notes.keys()].filter((key) => key.startsWith(prefix));
          return Response.json({ text: paths.map((key) => key.slice(prefix.length)).join(", ") });
        }
        case "list_files_by_prefix":
        case "search_contents":
          return Response.json(EMPTY_LIST);
        default:
          return notFound("Not Found");
      }
    },
  };
}

// --- internal ---

const Call = z.looseObject({
  context: z.looseObject({ session_id: z.string() }),
  path: z.string().optional(),
  text: z.string().optional(),
});

const EMPTY_LIST = { results: [], n_returned: 0 };

function notFound(detail: string): Response {
  return Response.json({ detail }, { status: 404 });
}
