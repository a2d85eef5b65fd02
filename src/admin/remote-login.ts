// The client's side of a login on the proxy's machine: shows what codex says there, and finds out how it ended.

import { z } from "zod";
import { parseJson } from "../core/json.ts";
import { CodexlbError, errorCodeOf } from "../errors.ts";
import { baseOf, type Door, refusedWith, SEE_LOG, textOf, through, unreachable } from "./door.ts";
import { LOGIN_LINES_TYPE, LoginLine } from "./login.ts";

export interface RemoteLogin {
  readonly alias: string;
  readonly args: readonly string[];
  readonly replace: boolean;
  /** Gets what codex says. */
  readonly output: (text: string) => void;
}

/** Resolves when the account is registered; the last line of the output says so. Throws `codex_not_found` when there is no codex on that machine, `login_failed` and what else the proxy says. */
export async function remoteLogin(door: Door, { alias, args, replace, output }: RemoteLogin): Promise<void> {
  const request = { alias, login_args: args, ...(replace ? { replace } : {}) };
  const response = await through({ ...door, timeoutMs: undefined })(
    `${baseOf(door)}/admin/account/login?stream=1`,
    {
      method: "POST",
      headers: { "content-type": "application/json", accept: LOGIN_LINES_TYPE },
      body: JSON.stringify(request),
    },
  ).catch((error) => {
    throw unreachable(door, error);
  });
  if (!response.ok || response.body === null) {
    const refused = refusedWith(door, response.status, await textOf(response));
    // The Go program's errors have no code, only these words.
    const lacksCodex = refused.code === "proxy_answer" && refused.message.includes(NO_CODEX);
    throw lacksCodex
      ? new CodexlbError("codex_not_found", refused.message, { next: INSTALL_CODEX })
      : refused;
  }
  const asLines = (response.headers.get("content-type") ?? "").startsWith(LOGIN_LINES_TYPE);
  return asLines ? readLines(response.body, output) : readPlain(response, alias, output);
}

// --- internal ---

/** A connection that breaks is the end of what was said; whether it ended well shows in its words. */
async function* untilBroken(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body ?? []) yield chunk;
  } catch {
    // broken off
  }
}

/** Codex prints much less at a time. A longer line is cut, and is then not understood. */
const LONGEST_LINE = 1024 * 1024;

/** How the Go program says that there is no codex. */
const NO_CODEX = "executable file not found in $PATH";
const INSTALL_CODEX = "install codex on the machine of the proxy: npm install -g @openai/codex";

async function readLines(body: ReadableStream<Uint8Array>, output: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of untilBroken(body)) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split("\n");
    rest = (lines.pop() ?? "").slice(0, LONGEST_LINE);
    for (const text of lines) if (readLine(text, output) === "registered") return;
  }
  throw new CodexlbError("login_failed", "the connection to the proxy broke before the login was finished", {
    next: "look at codexlb account list, and try again",
  });
}

function readLine(text: string, output: (text: string) => void): "more" | "registered" {
  const told = LoginLine.safeParse(parseJson(text));
  if (!told.success) return "more";
  if ("output" in told.data) {
    output(told.data.output);
    return "more";
  }
  const { exit_code, message, code, next } = told.data;
  if (exit_code === 0) {
    output(`${message ?? ""}\n`);
    return "registered";
  }
  throw new CodexlbError(
    errorCodeOf(code, "login_failed"),
    message ?? `the remote login failed with exit code ${exit_code}`,
    { next: next ?? SEE_LOG },
  );
}

/** The Go program: its trailers cannot be seen here, but a login that succeeded says so in its last line. */
async function readPlain(response: Response, alias: string, output: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let tail = "";
  for await (const chunk of untilBroken(response.body)) {
    const text = decoder.decode(chunk, { stream: true });
    output(text);
    tail = (tail + text).slice(-TAIL_CHARS);
  }
  const json = z.looseObject({ ok: z.literal(true) }).safeParse(parseJson(tail));
  if (!json.success && !tail.includes(`registered account ${alias}`))
    throw new CodexlbError("login_failed", "the login on the machine of the proxy did not succeed", {
      next: "what codex said about it is above",
    });
}

const TAIL_CHARS = 4_096;
