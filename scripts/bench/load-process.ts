// Runs a load in a process of its own.

import type { LoadFigures, LoadSpec } from "./load/spec.ts";
import { script, startProgram } from "./program.ts";

export interface LoadProcess extends AsyncDisposable {
  /** Runs `operations` operations. Rejects when one of them fails. */
  run(operations: number): Promise<LoadFigures>;
}

/** Starts the process; resolves once its connections are open. */
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
