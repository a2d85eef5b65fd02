// Recognizes keys in the text that a terminal in raw mode sends.

/** A key that types no character. `erase-all` is Ctrl-U. */
export type NamedKey =
  | "up"
  | "down"
  | "page-up"
  | "page-down"
  | "home"
  | "end"
  | "enter"
  | "escape"
  | "backspace"
  | "erase-all"
  | "interrupt"
  | "suspend";

/** A key, or the character that it types. */
export type Key = NamedKey | { readonly typed: string };

/** Reads keys from the input. */
export interface KeyReader {
  /** Takes input that has arrived. */
  read(chunk: string): void;
  /** Stops waiting for the rest of a key. */
  stop(): void;
}

/** How long to wait for the rest of a key, in ms. An escape that nothing follows is the Escape key. */
const ESCAPE_MS = 50;

/** Calls `pressed` for each key. Function keys, other control characters and Alt with a letter are ignored. */
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
          if (isEscape) pressed("escape");
        }, ESCAPE_MS);
      for (const key of keys) pressed(key);
    },
    stop,
  };
}

// --- internal ---

const ESCAPE = "\u001b";
const CONTROLS: ReadonlyMap<string, NamedKey> = new Map([
  ["\r", "enter"],
  ["\u0008", "backspace"],
  ["\u007f", "backspace"],
  ["\u0015", "erase-all"],
  ["\u0003", "interrupt"],
  ["\u001a", "suspend"],
]);
/** By the text after the escape and its bracket, as xterm, VT220 and rxvt send it. */
const SEQUENCES: ReadonlyMap<string, NamedKey> = new Map([
  ["A", "up"],
  ["B", "down"],
  ["H", "home"],
  ["F", "end"],
  ["1~", "home"],
  ["7~", "home"],
  ["4~", "end"],
  ["8~", "end"],
  ["5~", "page-up"],
  ["6~", "page-down"],
]);
const CONTROL = /\p{Cc}/u;

/** The keys in `text`, and the possible start of another key. The sequences are CSI and SS3 of ECMA-48. */
function keysOf(text: string): { readonly keys: readonly Key[]; readonly rest: string } {
  const keys: Key[] = [];
  const add = (key: Key | undefined) => {
    if (key !== undefined) keys.push(key);
  };
  let at = 0;
  while (at < text.length) {
    const next = text[at + 1];
    if (text[at] !== ESCAPE) {
      const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
      add(CONTROL.test(character) ? CONTROLS.get(character) : { typed: character });
      at += character.length;
    } else if (next === undefined) break;
    else if (next === ESCAPE) {
      add("escape");
      at += 1;
    } else if (next === "[" || next === "O") {
      const last = text.slice(at + 2).search(/[@-~]/);
      if (last < 0) break;
      add(SEQUENCES.get(text.slice(at + 2, at + 2 + last + 1)));
      at += 2 + last + 1;
    } else at += 2;
  }
  return { keys, rest: text.slice(at) };
}
