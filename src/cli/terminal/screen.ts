// Shows a picture on the full screen of a terminal, and restores the terminal in every case.

import { constants } from "node:os";
import { isatty } from "node:tty";
import { printable } from "../../printable.ts";
import { type Key, keyReader } from "./keyboard.ts";
import { isForeground } from "./terminal.ts";

/** The size of a terminal. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** A full screen. */
export interface Screen {
  /** Draws the picture again. */
  redraw(): void;
  /**
   * Resolves to the exit code when the screen ends: that of `end`, or 128 plus the number of the signal for signals and
   * Ctrl-C. Rejects with any uncaught error of the process.
   */
  readonly ended: Promise<number>;
  /** Ends the screen with an exit code. */
  end(code: number): void;
  /** Restores the terminal. */
  close(): void;
}

/**
 * Opens the full screen and shows the lines of `paint` immediately, after each change of the size, and when the user
 * continues the process after Ctrl-Z. `paint` returns at most `rows` lines, none wider than `columns`. `pressed` gets the
 * keys; Ctrl-C and Ctrl-Z do what they do everywhere.
 */
export function openScreen(
  paint: (size: Size) => readonly string[],
  pressed: (key: Exclude<Key, "interrupt" | "suspend">) => void,
): Screen {
  const { promise: ended, resolve: end, reject: fail } = Promise.withResolvers<number>();
  let isOpen = false;
  let isReading = false;
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
    // The system would stop this process when it sets the modes, and then signals could not end it.
    if (!isForeground()) return stopBy("SIGTTOU", 0);
    readKeys();
    // Another process may have changed the modes in the meantime.
    setRaw(false);
    setRaw(true);
    handleSignals(true);
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
    // Default handlers suffice now. In the background the runtime, which has set modes, cannot exit properly.
    handleSignals(false);
  };
  /** `pid` 0 stops the whole process group, as the terminal does. */
  const suspend = (pid: number) => {
    leave();
    process.off("SIGTSTP", stop);
    stopBy("SIGTSTP", pid);
  };
  const stopBy = (signal: NodeJS.Signals, pid: number) => {
    process.kill(pid, signal);
    // The system does not stop a process that no shell could continue.
    back = setTimeout(resume, UNSTOPPED_MS);
  };
  const continued = () => {
    clearTimeout(back);
    // Other signals that arrived in the meantime come first, because they may end the process.
    back = setTimeout(resume);
  };
  const resume = () => {
    clearTimeout(back);
    process.off("SIGTSTP", stop).on("SIGTSTP", stop);
    enter();
    // The runtime reads the size only upon this signal, and a stopped process does not get it.
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
    else if (key === "interrupt") end(exitCodeOf("SIGINT"));
    else pressed(key);
  });
  // A character may arrive in pieces.
  const decoder = new TextDecoder();
  const typed = (bytes: Uint8Array) => keys.read(decoder.decode(bytes, { stream: true }));

  const ends = ENDING.map((signal) => [signal, () => end(exitCodeOf(signal))] as const);
  const handleSignals = (enabled: boolean) => {
    for (const [signal, handle] of ends) {
      process.off(signal, handle);
      if (enabled) process.on(signal, handle);
    }
  };
  const listen = () => {
    handleSignals(true);
    process.on("SIGTSTP", stop).on("SIGCONT", continued).on("exit", leave);
    process.on("uncaughtException", fail).on("unhandledRejection", fail);
    // These handlers stay, because a closed terminal reports its error long after the last write.
    process.stdout.on("resize", resized).on("error", hangUp);
  };
  /** Reads keys in the foreground only, because reading in the background stops the process. */
  const readKeys = () => {
    if (isReading || !isatty(STDIN)) return;
    isReading = true;
    process.stdin.on("data", typed).on("end", hangUp).on("error", hangUp);
  };
  const close = () => {
    leave();
    clearTimeout(back);
    handleSignals(false);
    process.off("SIGTSTP", stop).off("SIGCONT", continued).off("exit", leave);
    process.off("uncaughtException", fail).off("unhandledRejection", fail);
    process.stdout.off("resize", resized);
    if (isReading) process.stdin.off("data", typed).pause();
  };

  listen();
  try {
    enter();
  } catch (error) {
    close();
    throw error;
  }
  return { redraw, ended, end, close };
}

// --- internal ---

const ENDING = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;

const STDIN = 0;

/** Longer than the system takes to stop a process, in ms. */
const UNSTOPPED_MS = 250;

/** The alternate screen without cursor and line wrap, because the widths of characters are only estimates. */
const ENTER = "\u001b[?1049h\u001b[?25l\u001b[?7l";
const LEAVE = "\u001b[0m\u001b[?7h\u001b[?25h\u001b[?1049l";
/** Terminals that support it show everything between the two at the same time. */
const [BEGIN_UPDATE, END_UPDATE] = ["\u001b[?2026h", "\u001b[?2026l"];
const HOME = "\u001b[H";
const ERASE_LINE = "\u001b[K";
const ERASE_BELOW = "\u001b[J";

/** For terminals that do not report their size. */
const USUAL_SIZE: Size = { columns: 80, rows: 24 };

function sizeOfTerminal(): Size {
  const { columns, rows } = process.stdout;
  return columns > 0 && rows > 0 ? { columns, rows } : USUAL_SIZE;
}

/** The text that draws the picture over the old one, without clearing the screen first. */
function frameOf(paint: (size: Size) => readonly string[], size: Size): string {
  const lines = paint(size).map(printable);
  // After a full line the cursor is still on its last character, so erasing would remove it.
  const text = lines
    .map((line) => (Bun.stringWidth(line) < size.columns ? line + ERASE_LINE : line))
    .join("\r\n");
  const below = lines.length < size.rows ? `\r\n${ERASE_BELOW}` : "";
  return BEGIN_UPDATE + HOME + text + below + END_UPDATE;
}

/** `true`: every key arrives immediately and is not shown. `false`: the previous mode. */
function setRaw(raw: boolean): void {
  if (!isatty(STDIN)) return;
  try {
    process.stdin.setRawMode(raw);
  } catch (error) {
    // The terminal was closed, so there is no mode to restore.
    if (raw) throw error;
  }
}

function exitCodeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}
