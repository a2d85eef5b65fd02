// How sources become one executable: the same for the program and for what it is measured against.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { PLAYWRIGHT_EXTERNALS, playwrightFiles } from "./playwright-files.ts";
import { signAdHoc } from "./release/code-signature.ts";
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
      // Otherwise Bun writes the builder's own NODE_ENV into the executable, and libraries behave accordingly.
      "process.env.NODE_ENV": JSON.stringify("production"),
    },
    compile: {
      outfile: options.outfile,
      executablePath: options.runtime,
      // Without it Bun expects a runtime in the format of the machine that builds.
      target: `bun-${runtimeNameOf(options.target)}` as Bun.Build.CompileTarget,
      // The system's store contains a company's own authority.
      execArgv: ["--use-system-ca"],
      // The executable is not steered by files that happen to lie in the user's directory.
      autoloadDotenv: false,
      autoloadBunfig: false,
    },
    throw: false,
  });
  // The executable holds its source maps; these would stay behind with every build.
  for (const { kind, path } of result.outputs) if (kind === "sourcemap") rmSync(path, { force: true });
  // Bun signs for arm64 only; for x64 it leaves the runtime's own signature, which does not match any more.
  if (result.success && options.target.startsWith("darwin-"))
    writeFileSync(options.outfile, signAdHoc(readFileSync(options.outfile), "codexlb"));
  const said = result.logs.map(String);
  return result.success || said.length > 0 ? said : ["the build failed and did not say why"];
}
