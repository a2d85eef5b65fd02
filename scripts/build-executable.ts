// How sources become one executable: the same for the program and for what it is measured against.

import { rmSync } from "node:fs";
import { PLAYWRIGHT_EXTERNALS, playwrightFiles } from "./playwright-files.ts";
import { runtimeNameOf } from "./targets.ts";

export interface BuildOptions {
  readonly entry: string;
  readonly outfile: string;
  /** What it runs on, `linux-arm64`. */
  readonly target: string;
  /** The Bun for the target, which becomes part of it. */
  readonly runtime: string;
  readonly version: string;
  readonly commit: string;
  /** The day of the commit; "": not known. */
  readonly date: string;
}

/** Resolves to what is wrong; nothing when it was built. */
export async function buildExecutable(options: BuildOptions): Promise<string[]> {
  const result = await Bun.build({
    entrypoints: [options.entry],
    target: "bun",
    format: "esm",
    minify: true,
    // A lazy import costs nothing at start only when it is a chunk of its own.
    splitting: true,
    bytecode: true,
    sourcemap: "linked",
    files: playwrightFiles(),
    external: [...PLAYWRIGHT_EXTERNALS],
    define: {
      CODEXLB_VERSION: JSON.stringify(options.version),
      CODEXLB_COMMIT: JSON.stringify(options.commit),
      CODEXLB_TARGET: JSON.stringify(options.target),
      CODEXLB_DATE: JSON.stringify(options.date),
    },
    compile: {
      outfile: options.outfile,
      executablePath: options.runtime,
      // Without it Bun expects a runtime in the format of the machine that builds.
      target: `bun-${runtimeNameOf(options.target)}` as Bun.Build.CompileTarget,
      // A company's own authority is in the system's store.
      execArgv: ["--use-system-ca"],
      // The executable is not steered by files that happen to lie in the user's directory.
      autoloadDotenv: false,
      autoloadBunfig: false,
    },
    throw: false,
  });
  // The executable holds its source maps; these would stay behind with every build.
  for (const { kind, path } of result.outputs) if (kind === "sourcemap") rmSync(path, { force: true });
  const said = result.logs.map(String);
  return result.success || said.length > 0 ? said : ["the build failed and did not say why"];
}
