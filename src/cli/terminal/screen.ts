// The whole terminal for one picture, and the terminal given back as it was, whatever ends that.

import { constants } from "node:os";
import { isatty } from "node:tty";
import { printable } from "../../printable.ts";
import { keyReader } from "./keyboard.ts";
import { isForeground } from "./terminal.ts";

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

export interface Screen {
  /** Shows the picture anew. */
  redraw(): void;
  /**
   * Resolves to the exit code when the user or a signal has ended it: 0 for `q` and Esc, 128 and the signal's number
   * for signals and Ctrl-C. Rejects with what was thrown anywhere meanwhile.
   */
  readonly ended: Promise<number>;
  /** Gives the terminal back. */
  close(): void;
}

/**
 * Takes the terminal over and shows what `paint` makes for its size: at once, after each change of the size, and when
 * the user comes back from Ctrl-Z. `paint` returns at most `rows` lines, none wider than `columns`.
 */
export function openScreen(paint: (size: Size) => readonly string[]): Screen {
  const { promise: ended, resolve: end, reject: fail } = Promise.withResolvers<number>();
  let isOpen = false;
  let isHearing = false;
  let shown = "";
  let back: ReturnType<typeof setTimeout> | undefined;

  const redraw = () => {
    if (!isOpen) return;
    const frame = frameOf(paint, sizeOfTerminal());
    if (frame === shown) return;
    shown = frame;
    process.stdout.write(frame);
  };
  const enter = () => {
    // As the system would when we set it; but then we would be in the middle of that, and could not be ended either.
    if (!isForeground()) return stopBy("SIGTTOU", 0);
    hear();
    // Whoever had the terminal meanwhile may have set it otherwise.
    setRaw(false);
    setRaw(true);
    heed(true);
    if (!isOpen) process.stdout.write(ENTER);
    isOpen = true;
    shown = "";
    redraw();
  };
  const leave = () => {
    if (!isOpen) return;
    isOpen = false;
    keys.stop();
    process.stdout.write(LEAVE);
    setRaw(false);
    // There is nothing left to do for them; and the runtime, having set modes, cannot end in order in the background.
    heed(false);
  };
  /** `pid` 0 stops whatever was started together with us, too, as the terminal itself does. */
  const suspend = (pid: number) => {
    leave();
    process.off("SIGTSTP", stop);
    stopBy("SIGTSTP", pid);
  };
  const stopBy = (signal: NodeJS.Signals, pid: number) => {
    process.kill(pid, signal);
    // Where no shell could bring us back, the system does not stop us.
    back = setTimeout(resume, UNSTOPPED_MS);
  };
  const continued = () => {
    clearTimeout(back);
    // What else arrived while we were stopped comes first: it may be our end.
    back = setTimeout(resume);
  };
  const resume = () => {
    clearTimeout(back);
    process.off("SIGTSTP", stop).on("SIGTSTP", stop);
    enter();
    // The runtime looks at the size only upon this, and nobody sends it to those who are stopped.
    process.kill(process.pid, "SIGWINCH");
  };
  const stop = () => suspend(process.pid);
  const resized = () => {
    shown = "";
    redraw();
  };
  const hangUp = () => end(exitCodeOf("SIGHUP"));
  const keys = keyReader((key) => {
    if (key === "suspend") suspend(0);
    else end(key === "quit" ? 0 : exitCodeOf("SIGINT"));
  });
  const typed = (bytes: Uint8Array) => keys.read(bytes.toString());

  const ends = ENDING.map((signal) => [signal, () => end(exitCodeOf(signal))] as const);
  const heed = (heeded: boolean) => {
    for (const [signal, handle] of ends) {
      process.off(signal, handle);
      if (heeded) process.on(signal, handle);
    }
  };
  const listen = () => {
    heed(true);
    process.on("SIGTSTP", stop).on("SIGCONT", continued).on("exit", leave);
    process.on("uncaughtException", fail).on("unhandledRejection", fail);
    // Never taken off: a terminal that is gone says so long after the last word to it.
    process.stdout.on("resize", resized).on("error", hangUp);
  };
  /** Only in the foreground: elsewhere keys are not ours, and reading them would stop us. */
  const hear = () => {
    if (isHearing || !isatty(STDIN)) return;
    isHearing = true;
    process.stdin.on("data", typed).on("end", hangUp).on("error", hangUp);
  };
  const close = () => {
    leave();
    clearTimeout(back);
    heed(false);
    process.off("SIGTSTP", stop).off("SIGCONT", continued).off("exit", leave);
    process.off("uncaughtException", fail).off("unhandledRejection", fail);
    process.stdout.off("resize", resized);
    if (isHearing) process.stdin.off("data", typed).pause();
  };

  listen();
  try {
    enter();
  } catch (error) {
    close();
    throw error;
  }
  return { redraw, ended, close };
}

// --- internal ---

const ENDING = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;

const STDIN = 0;

/** Longer than the system takes to stop a process. */
const UNSTOPPED_MS = 250;

/** The alternate screen, no cursor, and no line that goes on in the next one: widths are known only nearly. */
const ENTER = "\u001b[?1049h\u001b[?25l\u001b[?7l";
const LEAVE = "\u001b[0m\u001b[?7h\u001b[?25h\u001b[?1049l";
/** Terminals that know it show everything between the two at once. */
const [BEGIN_UPDATE, END_UPDATE] = ["\u001b[?2026h", "\u001b[?2026l"];
const HOME = "\u001b[H";
const ERASE_LINE = "\u001b[K";
const ERASE_BELOW = "\u001b[J";

/** For terminals that do not tell. */
const USUAL_SIZE: Size = { columns: 80, rows: 24 };

function sizeOfTerminal(): Size {
  const { columns, rows } = process.stdout;
  return columns > 0 && rows > 0 ? { columns, rows } : USUAL_SIZE;
}

/** One string that turns whatever is on the screen into the picture, without clearing it first. */
function frameOf(paint: (size: Size) => readonly string[], size: Size): string {
  const lines = paint(size).map(printable);
  // Behind a full line there is nothing to erase, and the cursor still stands on its last character.
  const text = lines
    .map((line) => (Bun.stringWidth(line) < size.columns ? line + ERASE_LINE : line))
    .join("\r\n");
  const below = lines.length < size.rows ? `\r\n${ERASE_BELOW}` : "";
  return BEGIN_UPDATE + HOME + text + below + END_UPDATE;
}

/** Every key at once, and none shown; false: as it was before. */
function setRaw(raw: boolean): void {
  if (!isatty(STDIN)) return;
  try {
    process.stdin.setRawMode(raw);
  } catch (error) {
    // Giving it back to a terminal that is gone: there is nothing left to set.
    if (raw) throw error;
  }
}

function exitCodeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}
