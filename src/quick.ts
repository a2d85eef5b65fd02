// What prompts and status bars ask every second is answered before the rest of the program is loaded: the version, and
// `status --short` of a proxy that runs on the root. What is not as simple as that goes the long way, which is the same
// in all else. Nothing may be imported here that takes time, as node:fs, node:path and validators do.

import { COMMIT, VERSION } from "./version.ts";

/** Prints the answer and resolves to true, or to false when it is not for here. */
export async function quickAnswer(argv: readonly string[]): Promise<boolean> {
  const [command = "", ...words] = argv;
  if (VERSION_WORDS.has(command)) {
    await Bun.write(Bun.stdout, `codexlb ${VERSION} (${COMMIT}, bun ${Bun.version})\n`);
    return true;
  }
  if (command !== "status") return false;
  const root = rootOfShortStatus(words);
  if (root === undefined) return false;
  const line = await shortStatusOf(root);
  if (line !== undefined) await Bun.write(Bun.stdout, line);
  return line !== undefined;
}

// --- internal ---

const VERSION_WORDS: ReadonlySet<string> = new Set(["--version", "-version", "-v", "version"]);
/** Longer names are not for sockets everywhere. */
const LONGEST_SOCKET = 100;
const ANSWER_MS = 3_000;

/** The root that `status --short` is about; undefined when more is asked for, or a proxy elsewhere. */
function rootOfShortStatus(words: readonly string[]): string | undefined {
  const { CODEXLB_PROXY_URL, CODEXLB_ROOT, HOME } = process.env;
  if (CODEXLB_PROXY_URL?.trim()) return undefined;
  let root = CODEXLB_ROOT?.trim() || (HOME ? `${HOME}/.codex-lb` : undefined);
  let isShort = false;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    const value = /^--?root(?:=(.*))?$/s.exec(word);
    if (/^--?short$/.test(word)) isShort = true;
    else if (value === null) return undefined;
    else root = (value[1] ?? words[++at])?.trim() || undefined;
  }
  return isShort ? root : undefined;
}

async function shortStatusOf(root: string): Promise<string | undefined> {
  const unix = `${root}/admin.sock`;
  if (unix.length > LONGEST_SOCKET) return undefined;
  try {
    const response = await fetch("http://localhost/admin/short-status", {
      unix,
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    return response.ok ? await response.text() : undefined;
  } catch {
    return undefined; // no proxy: the long way tells
  }
}
