// Runs a load in its own process, and controls that process.

import type { LoadFigures, LoadSpec } from "./load/spec.ts";
import { script, startProgram } from "./program.ts";

export interface LoadProcess extends AsyncDisposable {
  /** Runs `operations` operations. Rejects if one of them fails. */
  run(operations: number): Promise<LoadFigures>;
}

/** Starts the process. Resolves when its connections are open. */
export async function startLoad(spec: LoadSpec): Promise<LoadProcess> {
  const program = startProgram(script("load/main.ts", JSON.stringify(spec)));
  await program.line();
  return {
    run: async (operations) => {
      program.write(String(operations));
      return JSON.parse(await program.line());
    },
    [Symbol.asyncDispose]: program.stop,
  };
}
