// What was typed, out of the bytes that a terminal in raw mode sends.

export type Key = "quit" | "interrupt" | "suspend";

export interface KeyReader {
  /** Takes what has arrived. */
  read(chunk: string): void;
  /** Stops waiting for the rest of a key. */
  stop(): void;
}

/** The rest of a key is right behind its first byte; an escape that nothing follows is the key of that name. */
const ESCAPE_MS = 50;

/** Calls `pressed` for keys that have a meaning; arrows, function keys and Alt with a letter have none. */
export function keyReader(pressed: (key: Key) => void): KeyReader {
  let begun = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = () => {
    clearTimeout(timer);
    begun = "";
  };
  return {
    read: (chunk) => {
      const { keys, rest } = keysOf(begun + chunk);
      stop();
      begun = rest;
      if (rest !== "")
        timer = setTimeout(() => {
          const isEscape = begun === ESCAPE;
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

/** The keys in `text`, and what may be the beginning of one. Sequences are those of ECMA-48: CSI, and SS3. */
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
