// The width of terminals.

/** The width for terminals that do not report theirs, and for text for people that is written to a pipe. */
export const USUAL_COLUMNS = 80;

type Environment = Readonly<Record<string, string | undefined>>;
type Output = Pick<NodeJS.WriteStream, "isTTY" | "columns">;

/** The width of standard output: COLUMNS, else that of the terminal; undefined if the output is not a terminal. */
export function outputColumns(env: Environment): number | undefined {
  return givenColumns(env) ?? (process.stdout.isTTY ? process.stdout.columns : undefined);
}

/** The width of `output` if it is a terminal; otherwise undefined, because a script may read it. */
export function terminalColumns(output: Output, env: Environment): number | undefined {
  if (output.isTTY !== true) return undefined;
  return (givenColumns(env) ?? output.columns) || USUAL_COLUMNS;
}

// --- internal ---

/** COLUMNS, which the user can set. */
function givenColumns({ COLUMNS }: Environment): number | undefined {
  const columns = Number(COLUMNS);
  return Number.isInteger(columns) && columns > 0 ? columns : undefined;
}
