// Runs a shell in a real terminal: a tmux server of its own, to which tests send keys and whose screen they read.

import { setTimeout as pause } from "node:timers/promises";

export interface Pane extends Disposable {
  /** Presses keys, given by tmux's names: `q`, `C-c`, `Escape`, `Enter`. */
  press(...keys: string[]): void;
  /** Types `text` literally, then presses Enter. */
  line(text: string): void;
  resize(columns: number, rows: number): void;
  /** The visible lines, without trailing blanks. */
  screen(): string[];
  /** True if anything on the screen has a colour or a style. */
  isStyled(): boolean;
  /**
   * Resolves to the screen when it shows `what` (or `what` returns true for it). Rejects with an error that contains
   * the screen after 45 s.
   */
  shows(what: string | RegExp | ((lines: readonly string[]) => boolean)): Promise<string[]>;
  /** Resolves when the shell shows its prompt in the last line. */
  prompt(): Promise<void>;
  state(): TerminalState;
  /** Starts `command` in the shell. The returned function resolves to its exit code when it has ended. */
  start(command: string): () => Promise<number>;
  /** Runs `command` and resolves to its exit code. */
  run(command: string): Promise<number>;
  /** A checksum of the terminal's modes (stty), for comparison. */
  modes(): Promise<string>;
}

/** The parts of the terminal's state that programs must restore. */
export interface TerminalState {
  /** True if the cursor is visible. */
  readonly cursor: boolean;
  /** True if the alternate screen is in use. */
  readonly alternate: boolean;
}

/** The state while a program uses the whole screen, and the state while the shell waits. */
export const TAKEN: TerminalState = { cursor: false, alternate: true };
export const GIVEN_BACK: TerminalState = { cursor: true, alternate: false };

export interface PaneOptions {
  readonly columns: number;
  readonly rows: number;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Why this machine cannot open a pane; undefined if it can. */
export function noPanes(): string | undefined {
  const missing = ["tmux", "bash"].find((name) => Bun.which(name) === null);
  return missing === undefined ? undefined : `${missing} is not installed`;
}

/** Opens a terminal with a shell, and resolves when the shell shows its prompt. */
export async function openPane({ columns, rows, cwd, env }: PaneOptions): Promise<Pane> {
  const name = `clb-${process.pid}-${crypto.randomUUID().slice(0, 8)}`;
  const call = (...args: string[]) =>
    Bun.spawnSync(["tmux", "-L", name, "-u", "-f", "/dev/null", ...args], {
      cwd,
      // The socket is in the test's directory, so the user's own tmux server stays unaffected.
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
  /** Types `command` with a word that ends in `expression`. Returns a function that resolves to the expanded value. */
  const answer = (command: string, expression: string): (() => Promise<string>) => {
    const mark = crypto.randomUUID().slice(0, 8);
    pane.line(`${command} ${mark}=${expression}`);
    const expanded = new RegExp(`^${mark}=([\\d-]+)$`);
    return async () => {
      const lines = await pane.shows((shown) => shown.some((text) => expanded.test(text)));
      return lines.map((text) => expanded.exec(text)?.[1]).find((word) => word !== undefined) ?? "";
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
        if (isShown(what, lines)) return lines;
        if (Date.now() > deadline)
          throw new Error(`timed out while waiting for ${what} on the screen:\n${lines.join("\n")}`);
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
    // The server may have exited with its shell.
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

/** Much longer than any step takes, even on a busy machine. */
const LIMIT_MS = 45_000;
const POLL_MS = 25;

/** The shell's prompt. */
const PROMPT = "ready>";

function isShown(what: Parameters<Pane["shows"]>[0], lines: readonly string[]): boolean {
  if (typeof what === "function") return what(lines);
  return lines.some((line) => (typeof what === "string" ? line.includes(what) : what.test(line)));
}
