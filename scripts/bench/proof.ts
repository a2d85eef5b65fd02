// Proves, before the first measurement, that every path returns the right bytes through every subject.

import { ECHO_MESSAGE, turnBody, turnHeaders, turnMessage } from "./load/body.ts";
import { hashOf, LARGE_BYTES, PATHS, TURN_MESSAGES } from "./protocol.ts";
import { STAMP_MARK } from "./stamps.ts";
import type { Subject } from "./subjects.ts";

/** What a path returned, in a form that is equal for every subject that works. */
type Observations = Readonly<Record<string, string>>;

/**
 * Compares what `subject` returns with what the backend returns without a proxy. Returns the differences, one line
 * each.
 */
export async function differences(
  subject: Pick<Subject, "origin" | "headers">,
  backend: Pick<Subject, "origin" | "headers">,
): Promise<string[]> {
  const expected = await observe(backend);
  const seen = await observe(subject);
  return Object.entries(expected)
    .filter(([name, value]) => seen[name] !== value)
    .map(([name, value]) => `${name}: ${short(seen[name] ?? "")} instead of ${short(value)}`);
}

// --- internal ---

type Target = Pick<Subject, "origin" | "headers">;

async function observe(target: Target): Promise<Observations> {
  const seen: Record<string, string> = {};
  const note = async (name: string, observed: Promise<string>): Promise<void> => {
    seen[name] = await observed.catch(String);
  };
  const upload = turnBody("proof", LARGE_BYTES);
  await note("small POST", bodyOf(target, PATHS.small, turnBody("proof", 350)));
  await note("short turn", bodyOf(target, PATHS.turn, turnBody("proof", 1_000)));
  await note("paced stream", bodyOf(target, `${PATHS.turn}?paced=50&every=1`, turnBody("proof", 1_000)));
  await note("request body of 10 MiB", bodyOf(target, PATHS.upload, upload));
  await note("response body of 10 MiB", bodyOf(target, PATHS.download, "{}"));
  await note("WebSocket turn", messagesOf(target, turnMessage("proof"), TURN_MESSAGES));
  await note("WebSocket echo", messagesOf(target, ECHO_MESSAGE, 1));
  return seen;
}

async function bodyOf({ origin, headers }: Target, path: string, body: string): Promise<string> {
  const response = await fetch(origin + path, {
    method: "POST",
    headers: turnHeaders(headers, "proof"),
    body,
    proxy: false,
    signal: AbortSignal.timeout(LONGEST_MS),
  });
  const bytes = new Uint8Array(await response.arrayBuffer());
  const type = response.headers.get("content-type");
  const text =
    bytes.byteLength > LARGE_BYTES / 2 ? hashOf(bytes) : comparable(new TextDecoder().decode(bytes));
  return `status ${response.status}, ${type}, ${bytes.byteLength} bytes: ${text}`;
}

/** The first `count` messages after `message`, in order. */
function messagesOf({ origin, headers }: Target, message: string, count: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${origin.replace(/^http/, "ws")}${PATHS.turn}`, {
      headers: turnHeaders(headers, "proof"),
    });
    const messages: string[] = [];
    const timer = setTimeout(() => finish(), LONGEST_MS);
    const finish = (): void => {
      clearTimeout(timer);
      resolve(`${messages.length} messages: ${messages.join("\n")}`);
      socket.close();
    };
    socket.onopen = () => socket.send(message);
    socket.onmessage = ({ data }) => {
      messages.push(withoutPoolFigures(comparable(String(data))));
      if (messages.length === count) finish();
    };
    socket.onclose = ({ code }) => reject(new Error(`closed with ${code} after ${messages.length} messages`));
  });
}

const LONGEST_MS = 10_000;

/** Replaces what differs between two accounts and between two moments. */
function comparable(text: string): string {
  return text.replace(/\ba\d{4}\b/g, "ACCOUNT").replace(new RegExp(`${STAMP_MARK}[0-9.]+`, "g"), STAMP_MARK);
}

/** Messages whose content codexlb replaces with that of the whole pool. Only their place is compared. */
const OF_THE_POOL = ["codex.rate_limits", "codex.response.metadata"] as const;

function withoutPoolFigures(message: string): string {
  return OF_THE_POOL.find((type) => message.startsWith(`{"type":"${type}"`)) ?? message;
}

function short(text: string): string {
  return text.length <= 200 ? text : `${text.slice(0, 160)}... (${hashOf(new TextEncoder().encode(text))})`;
}
