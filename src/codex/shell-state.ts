// How `run` gets the state of a login shell: the shell replaces itself with this program and a special argument, and
// the program writes the state to a descriptor as JSON. This file is loaded at every start, so it must not import
// anything.

/** The argument that makes this program write its `ShellState` as JSON to `STATE_DESCRIPTOR`. */
export const REPORT_STATE = "__shell-state";
/** Profiles often use 3 and 9 themselves. */
export const STATE_DESCRIPTOR = 7;

/** The state that a login shell passes on to programs. */
export interface ShellState {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly umask: number;
}
