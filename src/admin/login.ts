// Remote login: runs codex on the proxy's machine and streams its output to the client.
//
// The Go program reports the end of a streamed login in HTTP trailers, which this server cannot send. Its client treats a
// broken stream as a failure, so after a failure the server sends the reason as the last line and closes the connection.
// This program's client requests JSON lines, the last of which has the result.

import { Hono } from "hono";
import { z } from "zod";
import type { LoginEnd, Logins } from "../auth/logins.ts";
import { adminErrorBody, CodexlbError } from "../errors.ts";
import { body, requiredText } from "./requests.ts";

/** A line of the stream that this program's client reads. */
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

/** The content type that this program's client accepts. */
export const LOGIN_LINES_TYPE = "application/x-ndjson";

export interface LoginContext {
  readonly logins: Logins;
}

export function loginRoutes({ logins }: LoginContext) {
  return new Hono().post("/admin/account/login", body("login", LoginBody), async (c) => {
    const { alias, login_args, replace } = c.req.valid("json");
    const request = { alias, args: login_args, replace };
    await logins.check(request);
    if (c.req.query("stream") === "1") {
      const asLines = (c.req.header("accept") ?? "").includes(LOGIN_LINES_TYPE);
      return streamed(logins, request, asLines ? LINES : PLAIN);
    }
    let words = "";
    const output = (chunk: Uint8Array) => {
      words = (words + new TextDecoder().decode(chunk)).slice(-QUOTED_CHARS);
    };
    const end = await logins.run({ ...request, output, signal: c.req.raw.signal });
    if (end.kind === "failed") throw withOutput(end.error, words);
    return c.json({ ok: true, message: `registered account ${alias}`, total: end.total });
  });
}

// --- internal ---

/** Longest part of codex's output in an error. */
const QUOTED_CHARS = 500;

/** `error` with the last line of codex's output. */
function withOutput(error: CodexlbError, output: string): CodexlbError {
  const line = Bun.stripANSI(output).trim().split("\n").at(-1)?.trim() ?? "";
  if (line === "") return error;
  return new CodexlbError(error.code, `${error.message}; it said: ${line}`, { next: error.next });
}

const LoginBody = z.strictObject({
  alias: requiredText("alias"),
  /** Accepted because the Go program's client sends it, but ignored: this machine decides which program runs. */
  codex_bin: z.string().optional(),
  login_args: z
    .array(z.string())
    .nullish()
    .transform((args) => args ?? []),
  replace: z.boolean().default(false),
});

/** The format of the stream. */
interface StreamFormat {
  readonly type: string;
  chunk(chunk: Uint8Array): Uint8Array;
  end(alias: string, end: LoginEnd): string;
  /** True if the connection is broken after a failure. */
  readonly cut: boolean;
}

const PLAIN: StreamFormat = {
  type: "text/plain; charset=utf-8",
  chunk: (chunk) => chunk,
  end: (alias, end) =>
    end.kind === "registered"
      ? `${registered(alias, end.total)}\n`
      : `login account: ${adminErrorBody(end.error).error}\n`,
  cut: true,
};

const LINES: StreamFormat = {
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
  format: StreamFormat,
): Response {
  const gone = new AbortController();
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => {
      const send = (chunk: Uint8Array) => {
        if (!gone.signal.aborted) controller.enqueue(chunk);
      };
      const output = (chunk: Uint8Array) => send(format.chunk(chunk));
      void logins.run({ ...request, output, signal: gone.signal }).then((end) => {
        if (gone.signal.aborted) return;
        send(new TextEncoder().encode(format.end(request.alias, end)));
        if (end.kind === "failed" && format.cut) cutSoon(controller);
        else controller.close();
      });
    },
    cancel: () => gone.abort(),
  });
  return new Response(stream, { headers: { "content-type": format.type, "cache-control": "no-store" } });
}

/** Breaks the connection after a moment, so that the last line is sent before. */
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
