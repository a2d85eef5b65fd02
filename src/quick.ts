// What prompts and status bars ask every second is answered before the rest of the program is loaded: the version, and
// `status --short` of a proxy that runs on the root; and so is what `run` asks of a login shell. What is not as simple as that goes the long way, which is the same
// in all else. Nothing may be imported or used here that takes time, as process.stdout, node:fs and validators do.

import { REPORT_STATE, STATE_DESCRIPTOR } from "./codex/shell-state.ts";
import { oneLine } from "./printable.ts";
import { askSocket } from "./state/ask-socket.ts";

/** Prints the answer and resolves to true, or to false when it is not for here. */
export async function quickAnswer(argv: readonly string[]): Promise<boolean> {
  if (argv[0] === REPORT_STATE) {
    await reportState();
    return true;
  }
  const answer = await answerTo(argv);
  if (answer === undefined) return false;
  try {
    await Bun.write(Bun.stdout, `${answer}\n`);
  } catch (error) {
    (await import("./cli/output.ts")).tellUnwritten(error);
  }
  return true;
}

// --- internal ---

/** Writes nothing if a profile has put something else in the place of the file: an environment may hold secrets. */
async function reportState(): Promise<void> {
  const { fstatSync, writeSync } = await import("node:fs");
  const file = fstatSync(STATE_DESCRIPTOR);
  if (!file.isFile() || file.size > 0 || (file.mode & 0o777) !== 0o600) process.exit(1);
  writeSync(
    STATE_DESCRIPTOR,
    JSON.stringify({ env: process.env, cwd: process.cwd(), umask: process.umask() }),
  );
}

const VERSION_WORDS: ReadonlySet<string> = new Set(["--version", "-version", "-v", "-V", "version"]);
/** Longer names are not for sockets everywhere. */
const LONGEST_SOCKET = 100;
const ANSWER_SECONDS = 3;

async function answerTo([command = "", ...words]: readonly string[]): Promise<string | undefined> {
  if (VERSION_WORDS.has(command)) {
    const { COMMIT, TARGET, VERSION } = await import("./version.ts");
    return `codexlb ${VERSION} (${COMMIT}, ${TARGET}, bun ${Bun.version})`;
  }
  const root = command === "status" ? rootOfShortStatus(words) : undefined;
  const socket = `${root}/admin.sock`;
  if (root === undefined || socket.length > LONGEST_SOCKET) return undefined;
  try {
    const line = askSocket(socket, "/admin/short-status", ANSWER_SECONDS)?.trimEnd();
    return line?.startsWith("lb=") ? oneLine(line) : undefined;
  } catch {
    return undefined; // the long way needs none of it
  }
}

/** The root that `status --short` is about; undefined when more is asked for, or a proxy elsewhere. */
function rootOfShortStatus(words: readonly string[]): string | undefined {
  const { CODEXLB_PROXY_URL, CODEXLB_ROOT, HOME } = process.env;
  if (CODEXLB_PROXY_URL?.trim()) return undefined;
  let root = CODEXLB_ROOT?.trim() || (HOME ? `${HOME}/.codex-lb` : undefined);
  let isShort = false;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    const value = /^--?root(?:=(.*))?$/s.exec(word);
    if (word === "--short" || word === "-short") isShort = true;
    else if (value === null) return undefined;
    else root = (value[1] ?? words[++at])?.trim() || undefined;
  }
  return isShort ? root : undefined;
}
