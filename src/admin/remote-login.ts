// The client of a login on the proxy's machine: shows codex's output, and reads the result.

import { z } from "zod";
import { advised } from "../advice.ts";
import { parseJson } from "../core/json.ts";
import { CodexlbError, errorCodeOf } from "../errors.ts";
import { baseOf, type Door, refusedWith, seeLog, textOf, through, unreachable } from "./door.ts";
import { LOGIN_LINES_TYPE, LoginLine } from "./login.ts";

export interface RemoteLogin {
  readonly alias: string;
  readonly args: readonly string[];
  readonly replace: boolean;
  /** Called with codex's output. */
  readonly output: (text: string) => void;
}

/**
 * Resolves when the account is registered, which the last line of the output confirms. Throws `codex_not_found` if that
 * machine has no codex, `login_failed`, and other errors of the proxy.
 */
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
    // The Go program's errors have no code, so the text has to be recognized.
    const lacksCodex = refused.code === "proxy_answer" && refused.message.includes(NO_CODEX);
    throw lacksCodex
      ? new CodexlbError("codex_not_found", refused.message, { next: INSTALL_CODEX })
      : refused;
  }
  const asLines = (response.headers.get("content-type") ?? "").startsWith(LOGIN_LINES_TYPE);
  return asLines ? readLines(response.body, output) : readPlain(response, alias, output);
}

// --- internal ---

/** The chunks of `body` until its end or until the connection breaks. The text shows whether the login succeeded. */
async function* untilBroken(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body ?? []) yield chunk;
  } catch {
    // the connection broke, which ends the output
  }
}

/** Much longer than any line of codex. A longer line is cut, and then skipped. */
const LONGEST_LINE = 1024 * 1024;

/** The Go program's message if there is no codex. */
const NO_CODEX = "executable file not found in $PATH";
const INSTALL_CODEX = "install codex on the proxy's machine: npm install -g @openai/codex";

async function readLines(body: ReadableStream<Uint8Array>, output: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of untilBroken(body)) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split("\n");
    rest = (lines.pop() ?? "").slice(0, LONGEST_LINE);
    for (const text of lines) if (readLine(text, output) === "registered") return;
  }
  throw new CodexlbError("login_failed", "the connection to the proxy broke before the login finished", {
    next: `see whether ${advised("account list")} shows the account; if not, try again`,
  });
}

function readLine(text: string, output: (text: string) => void): "more" | "registered" {
  const line = LoginLine.safeParse(parseJson(text));
  if (!line.success) return "more";
  if ("output" in line.data) {
    output(line.data.output);
    return "more";
  }
  const { exit_code, message, code, next } = line.data;
  if (exit_code === 0) {
    output(`${message ?? ""}\n`);
    return "registered";
  }
  throw new CodexlbError(
    errorCodeOf(code, "login_failed"),
    message ?? `the remote login failed with exit code ${exit_code}`,
    { next: next ?? seeLog() },
  );
}

/** Reads the Go program's stream. Its trailers are not visible here, but its last line confirms a successful login. */
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
    throw new CodexlbError("login_failed", "the login on the proxy's machine failed", {
      next: "see the output of codex above",
    });
}

const TAIL_CHARS = 4_096;
