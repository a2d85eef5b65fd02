// How `run` asks a login shell for its state: in the shell's place this program starts with a word, and writes the state to
// a descriptor as JSON. Nothing may be imported here, because it is loaded at every start.

/** The word that makes this program write its `ShellState` as JSON to `STATE_DESCRIPTOR`. */
export const REPORT_STATE = "__shell-state";
/** Not 3 or 9, which profiles use themselves. */
export const STATE_DESCRIPTOR = 7;

/** What a login shell passes on to the programs that it starts. */
export interface ShellState {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly umask: number;
}
