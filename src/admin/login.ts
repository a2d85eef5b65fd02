// Remote login: runs codex on the proxy's machine and streams what it says to whoever asked.
//
// The Go program tells the end of a streamed login in HTTP trailers, which this server cannot send. Its client also
// takes a broken stream for a failure, so that is how one ends here: the reason as the last line, then the connection
// is cut. Our own client asks for JSON lines, the last of which tells the end in so many words.

import { Hono } from "hono";
import { z } from "zod";
import type { LoginEnd, Logins } from "../auth/logins.ts";
import { adminErrorBody, CodexlbError } from "../errors.ts";
import { body, requiredText } from "./requests.ts";

/** A line of the stream that our own client reads. */
export type LoginLine = z.output<typeof LoginLine>;
export const LoginLine = z.union([
  z.object({ output: z.string() }),
  z.object({
    exit_code: z.number(),
    message: z.string().optional(),
    error: z.string().optional(),
    code: z.string().optional(),
    next: z.string().optional(),
  }),
]);

/** What our own client accepts. */
export const LOGIN_LINES_TYPE = "application/x-ndjson";

export interface LoginContext {
  readonly logins: Logins;
}

export function loginRoutes({ logins }: LoginContext) {
  return new Hono().post("/admin/account/login", body("login", LoginBody), async (c) => {
    const { alias, login_args, replace } = c.req.valid("json");
    const request = { alias, args: login_args, replace };
    logins.check(request);
    if (c.req.query("stream") === "1") {
      const asLines = (c.req.header("accept") ?? "").includes(LOGIN_LINES_TYPE);
      return streamed(logins, request, asLines ? LINES : PLAIN);
    }
    let said = "";
    const output = (chunk: Uint8Array) => {
      said = (said + new TextDecoder().decode(chunk)).slice(-SAID_CHARS);
    };
    const end = await logins.run({ ...request, output, signal: c.req.raw.signal });
    if (end.kind === "failed") throw withWords(end.error, said);
    return c.json({ ok: true, message: `registered account ${alias}`, total: end.total });
  });
}

// --- internal ---

/** What an error repeats of codex's last words. */
const SAID_CHARS = 500;

function withWords(error: CodexlbError, said: string): CodexlbError {
  const words = Bun.stripANSI(said).trim().split("\n").at(-1)?.trim() ?? "";
  if (words === "") return error;
  return new CodexlbError(error.code, `${error.message}; it said: ${words}`, { next: error.next });
}

const LoginBody = z.strictObject({
  alias: requiredText("alias"),
  /** Taken for the Go program's client, and not honoured: what runs is this machine's affair. */
  codex_bin: z.string().optional(),
  login_args: z
    .array(z.string())
    .nullish()
    .transform((args) => args ?? []),
  replace: z.boolean().default(false),
});

interface Wording {
  readonly type: string;
  chunk(chunk: Uint8Array): Uint8Array;
  end(alias: string, end: LoginEnd): string;
  /** The stream is cut after a failure. */
  readonly cut: boolean;
}

const PLAIN: Wording = {
  type: "text/plain; charset=utf-8",
  chunk: (chunk) => chunk,
  end: (alias, end) =>
    end.kind === "registered"
      ? `${registered(alias, end.total)}\n`
      : `login account: ${adminErrorBody(end.error).error}\n`,
  cut: true,
};

const LINES: Wording = {
  type: LOGIN_LINES_TYPE,
  chunk: (chunk) => line({ output: new TextDecoder().decode(chunk) }),
  end: (alias, end) =>
    new TextDecoder().decode(
      line(
        end.kind === "registered"
          ? { exit_code: 0, message: registered(alias, end.total) }
          : { exit_code: end.exitCode, ...adminErrorBody(end.error) },
      ),
    ),
  cut: false,
};

function streamed(
  logins: Logins,
  request: { readonly alias: string; readonly args: readonly string[]; readonly replace: boolean },
  wording: Wording,
): Response {
  const gone = new AbortController();
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => {
      const say = (chunk: Uint8Array) => {
        if (!gone.signal.aborted) controller.enqueue(chunk);
      };
      const output = (chunk: Uint8Array) => say(wording.chunk(chunk));
      void logins.run({ ...request, output, signal: gone.signal }).then((end) => {
        if (gone.signal.aborted) return;
        say(new TextEncoder().encode(wording.end(request.alias, end)));
        if (end.kind === "failed" && wording.cut) cutSoon(controller);
        else controller.close();
      });
    },
    cancel: () => gone.abort(),
  });
  return new Response(stream, { headers: { "content-type": wording.type, "cache-control": "no-store" } });
}

/** The last line must be on its way before the connection breaks, or it breaks with it. */
function cutSoon(controller: ReadableStreamDefaultController<Uint8Array>): void {
  setTimeout(() => controller.error(new Error("the login failed")), CUT_AFTER_MS);
}

const CUT_AFTER_MS = 200;

function line(value: LoginLine): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value)}\n`);
}

function registered(alias: string, total: number): string {
  return `registered account ${alias} (total=${total})`;
}
