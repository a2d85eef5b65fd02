// The database of codex-lb (the Python program). The key that encrypts its tokens is in a file beside it.

import { Database } from "bun:sqlite";
import { closeSync, openSync, readSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { messageOf } from "../../errors.ts";
import { readTextIfPresent } from "../../state/atomic-file.ts";
import { openFernet } from "./fernet.ts";
import type { FoundLogin, LoginFormat, UnusableLogin } from "./format.ts";
import { peerLogin } from "./peer-login.ts";

/** The names of the database and of the key in the directory of the program. */
export const CODEX_LB_FILE = "store.db";
const KEY_FILE = "encryption.key";

export const codexLbDatabaseFormat: LoginFormat = {
  program: "codex-lb",
  where: `~/.codex-lb (${CODEX_LB_FILE} and ${KEY_FILE})`,
  recognise: ({ path }) => startsWith(path, MAGIC),
  read: ({ path }) => {
    const unusable = (reason: string): UnusableLogin[] => [{ kind: "unusable", path, reason }];
    try {
      const key = readTextIfPresent(join(dirname(path), KEY_FILE))?.trim();
      if (key === undefined)
        return unusable(`its tokens are encrypted, and the directory has no ${KEY_FILE}`);
      const open = openFernet(key);
      if (open === undefined) return unusable(`${KEY_FILE} in its directory is not a valid key`);
      return rowsOf(path).map((row) => loginOf(path, row, open));
    } catch (error) {
      return unusable(`not a database of codex-lb, or it is in use: ${messageOf(error)}`);
    }
  },
};

// --- internal ---

const MAGIC = "SQLite format 3\0";

const Row = z.looseObject({
  email: z.string(),
  chatgpt_account_id: z.string().nullish(),
  access_token_encrypted: z.instanceof(Uint8Array),
  refresh_token_encrypted: z.instanceof(Uint8Array),
  id_token_encrypted: z.instanceof(Uint8Array),
  /** UTC, without a zone: `2026-01-02 03:04:05.678901`. */
  last_refresh: z.string(),
  /** Set while the program deletes the account. */
  delete_requested_at: z.string().nullish(),
});

function rowsOf(path: string): z.output<typeof Row>[] {
  const database = new Database(path, { readonly: true });
  try {
    return z.array(Row).parse(database.query("select * from accounts order by email").all());
  } finally {
    database.close();
  }
}

function loginOf(
  path: string,
  row: z.output<typeof Row>,
  open: (sealed: string) => string | undefined,
): FoundLogin | UnusableLogin {
  const { email } = row;
  if (row.delete_requested_at) return { kind: "unusable", path, email, reason: "deleted in codex-lb" };
  const token = (sealed: Uint8Array) => open(Buffer.from(sealed).toString());
  const access = token(row.access_token_encrypted);
  if (access === undefined)
    return { kind: "unusable", path, email, reason: `${KEY_FILE} does not decrypt its tokens` };
  return peerLogin(
    path,
    {
      access,
      refresh: token(row.refresh_token_encrypted),
      id: token(row.id_token_encrypted),
      accountId: row.chatgpt_account_id ?? undefined,
      refreshed: `${row.last_refresh.slice(0, "2026-01-02 03:04:05.678".length).replace(" ", "T")}Z`,
    },
    email,
  );
}

function startsWith(path: string, magic: string): boolean {
  const file = openSync(path, "r");
  try {
    const head = Buffer.alloc(magic.length);
    return readSync(file, head) === head.length && head.toString("latin1") === magic;
  } finally {
    closeSync(file);
  }
}
