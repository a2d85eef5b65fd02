// A shell in a real terminal: a tmux server of its own, whose keys are sent and whose screen is read.

import { setTimeout as pause } from "node:timers/promises";

export interface Pane extends Disposable {
  /** Presses keys by tmux's names: `q`, `C-c`, `Escape`, `Enter`. */
  press(...keys: string[]): void;
  /** Types `text` as it is, and Enter. */
  line(text: string): void;
  resize(columns: number, rows: number): void;
  /** What is to be seen, line by line, without blanks at the ends. */
  screen(): string[];
  /** True when anything on the screen has a colour or a style. */
  isStyled(): boolean;
  /** Resolves to the screen when `what` is to be seen (or `check` holds for it); rejects with the screen when it is not in time. */
  shows(what: string | RegExp | ((lines: readonly string[]) => boolean)): Promise<string[]>;
  /** Resolves when the shell waits for a command in the last line. */
  prompt(): Promise<void>;
  state(): TerminalState;
  /** Starts `command` in the shell; what is returned resolves to its exit code, as the shell tells it. */
  start(command: string): () => Promise<number>;
  /** Runs it to its end. */
  run(command: string): Promise<number>;
  /** The modes of the terminal, as something to compare. */
  modes(): Promise<string>;
}

/** As the terminal has them. */
export interface TerminalState {
  /** The cursor is shown. */
  readonly cursor: boolean;
  /** The alternate screen is. */
  readonly alternate: boolean;
}

/** Of a program that has the whole screen, and of a shell. */
export const TAKEN: TerminalState = { cursor: false, alternate: true };
export const GIVEN_BACK: TerminalState = { cursor: true, alternate: false };

export interface PaneOptions {
  readonly columns: number;
  readonly rows: number;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Why there can be no pane here; undefined when there can. */
export function noPanes(): string | undefined {
  const missing = ["tmux", "bash"].find((name) => Bun.which(name) === null);
  return missing === undefined ? undefined : `there is no ${missing}`;
}

/** Opens one, with a shell that waits for a command. */
export async function openPane({ columns, rows, cwd, env }: PaneOptions): Promise<Pane> {
  const name = `clb-${process.pid}-${crypto.randomUUID().slice(0, 8)}`;
  const call = (...args: string[]) =>
    Bun.spawnSync(["tmux", "-L", name, "-u", "-f", "/dev/null", ...args], {
      cwd,
      // Its socket lies in the test's directory, and nothing of the user's tmux is known.
      env: { ...env, TMUX_TMPDIR: cwd, TERM: "xterm-256color", HISTFILE: "" },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
  const tmux = (...args: string[]): string => {
    const ran = call(...args);
    if (ran.exitCode !== 0) throw new Error(`tmux ${args.join(" ")}: ${ran.stderr}`);
    return ran.stdout.toString();
  };
  const size = ["-x", String(columns), "-y", String(rows)];
  tmux("new-session", "-d", ...size, `exec env PS1='${PROMPT} ' bash --norc --noprofile`);
  const screen = () => tmux("capture-pane", "-p").split("\n").slice(0, -1);
  /** Has the shell carry out `command` with a word that ends in `asked`, and tells what it puts in its place. */
  const answer = (command: string, asked: string): (() => Promise<string>) => {
    const mark = crypto.randomUUID().slice(0, 8);
    pane.line(`${command} ${mark}=${asked}`);
    const told = new RegExp(`^${mark}=([\\d-]+)$`);
    return async () => {
      const lines = await pane.shows((shown) => shown.some((text) => told.test(text)));
      return lines.map((text) => told.exec(text)?.[1]).find((word) => word !== undefined) ?? "";
    };
  };
  const pane: Pane = {
    press: (...keys) => void tmux("send-keys", ...keys),
    line: (text) => {
      tmux("send-keys", "-l", text);
      tmux("send-keys", "Enter");
    },
    resize: (wide, high) => void tmux("resize-window", "-x", String(wide), "-y", String(high)),
    screen,
    isStyled: () => tmux("capture-pane", "-p", "-e").includes("\u001b["),
    shows: async (what) => {
      const deadline = Date.now() + LIMIT_MS;
      for (;;) {
        const lines = screen();
        if (isThere(what, lines)) return lines;
        if (Date.now() > deadline)
          throw new Error(`waited in vain for ${what} on the screen:\n${lines.join("\n")}`);
        await pause(POLL_MS);
      }
    },
    prompt: async () => void (await pane.shows((lines) => lines.findLast((line) => line !== "") === PROMPT)),
    state: () => {
      const [cursor, alternate] = tmux("display-message", "-p", "#{cursor_flag} #{alternate_on}")
        .trim()
        .split(" ");
      return { cursor: cursor === "1", alternate: alternate === "1" };
    },
    start: (command) => {
      const code = answer(`${command}; echo`, "$?");
      return async () => Number(await code());
    },
    run: (command) => pane.start(command)(),
    modes: () => answer("echo", "$(stty -g | cksum | tr ' ' -)")(),
    // It may have ended with its shell.
    [Symbol.dispose]: () => void call("kill-server"),
  };
  try {
    await pane.prompt();
    return pane;
  } catch (error) {
    pane[Symbol.dispose]();
    throw error;
  }
}

// --- internal ---

/** Far more than anything takes on a machine that is busy. */
const LIMIT_MS = 45_000;
const POLL_MS = 25;

/** What the shell says when it waits for a command. */
const PROMPT = "ready>";

function isThere(what: Parameters<Pane["shows"]>[0], lines: readonly string[]): boolean {
  if (typeof what === "function") return what(lines);
  return lines.some((line) => (typeof what === "string" ? line.includes(what) : what.test(line)));
}
