// Recognizes keys in the bytes that a terminal in raw mode sends.

/** A key with a meaning. */
export type Key = "quit" | "interrupt" | "suspend";

/** Reads keys from the input. */
export interface KeyReader {
  /** Takes input that has arrived. */
  read(chunk: string): void;
  /** Stops waiting for the rest of a key. */
  stop(): void;
}

/** How long to wait for the rest of a key, in ms. An escape that nothing follows is the Escape key. */
const ESCAPE_MS = 50;

/** Calls `pressed` for keys with a meaning. Arrows, function keys and Alt with a letter have none. */
export function keyReader(pressed: (key: Key) => void): KeyReader {
  let incomplete = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = () => {
    clearTimeout(timer);
    incomplete = "";
  };
  return {
    read: (chunk) => {
      const { keys, rest } = keysOf(incomplete + chunk);
      stop();
      incomplete = rest;
      if (rest !== "")
        timer = setTimeout(() => {
          const isEscape = incomplete === ESCAPE;
          stop();
          if (isEscape) pressed("quit");
        }, ESCAPE_MS);
      for (const key of keys) pressed(key);
    },
    stop,
  };
}

// --- internal ---

const ESCAPE = "\u001b";
const MEANINGS: ReadonlyMap<string, Key> = new Map([
  ["q", "quit"],
  ["Q", "quit"],
  ["\u0003", "interrupt"],
  ["\u001a", "suspend"],
]);

/** The keys in `text`, and the possible start of another key. The sequences are CSI and SS3 of ECMA-48. */
function keysOf(text: string): { readonly keys: readonly Key[]; readonly rest: string } {
  const keys: Key[] = [];
  let at = 0;
  while (at < text.length) {
    const next = text[at + 1];
    if (text[at] !== ESCAPE) {
      const key = MEANINGS.get(text[at] ?? "");
      if (key !== undefined) keys.push(key);
      at += 1;
    } else if (next === undefined) break;
    else if (next === ESCAPE) {
      keys.push("quit");
      at += 1;
    } else if (next === "[" || next === "O") {
      const last = text.slice(at + 2).search(/[@-~]/);
      if (last < 0) break;
      at += 2 + last + 1;
    } else at += 2;
  }
  return { keys, rest: text.slice(at) };
}
