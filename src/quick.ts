// Answers frequent requests before the rest of the program is loaded: the version, `status --short` of a running proxy,
// and the state of a login shell for `run`. Everything else takes the normal path, with the same results. Nothing that
// is slow to load may be imported or used here, such as process.stdout, node:fs and validators.

import { REPORT_STATE, STATE_DESCRIPTOR } from "./codex/shell-state.ts";
import { VERSION_WORDS } from "./core/version-words.ts";
import { askSocket } from "./state/ask-socket.ts";

/** Prints the answer and resolves to true. Resolves to false for a command that needs the rest of the program. */
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
    (await import("./cli/terminal/standard-output.ts")).reportWriteError(error);
  }
  return true;
}

// --- internal ---

/** Writes nothing if a profile has replaced the file, because an environment may contain secrets. */
async function reportState(): Promise<void> {
  const { fstatSync, writeSync } = await import("node:fs");
  const file = fstatSync(STATE_DESCRIPTOR);
  if (!file.isFile() || file.size > 0 || (file.mode & 0o777) !== 0o600) process.exit(1);
  writeSync(
    STATE_DESCRIPTOR,
    JSON.stringify({ env: process.env, cwd: process.cwd(), umask: process.umask() }),
  );
}

/** Names of child proxies may have other characters. The normal path decides which of them are printed. */
const SHORT_STATUS = /^lb=[ -~]*$/;

/** Some systems do not allow longer socket paths. */
const LONGEST_SOCKET = 100;
const ANSWER_SECONDS = 3;

async function answerTo([command = "", ...words]: readonly string[]): Promise<string | undefined> {
  if (VERSION_WORDS.has(command) && words.length === 0) {
    const { COMMIT, TARGET, VERSION } = await import("./version.ts");
    return `codexlb ${VERSION} (${COMMIT}, ${TARGET}, bun ${Bun.version})`;
  }
  const root = command === "status" ? rootOfShortStatus(words) : undefined;
  const socket = `${root}/admin.sock`;
  if (root === undefined || socket.length > LONGEST_SOCKET) return undefined;
  try {
    const line = askSocket(socket, "/admin/short-status", ANSWER_SECONDS)?.trimEnd();
    return line !== undefined && SHORT_STATUS.test(line) ? line : undefined;
  } catch {
    return undefined; // the normal path reports the problem
  }
}

/** The root for `status --short`; undefined with other flags, and for a proxy that is named by its URL. */
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
