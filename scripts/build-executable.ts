// Builds a single executable from sources: codexlb itself, or a program that the benchmark compares it with.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { buildPage } from "../src/dashboard/build-page.ts";
import { NOWHERE, PLAYWRIGHT_EXTERNALS, playwrightFiles } from "./playwright-files.ts";
import { signAdHoc } from "./release/code-signature.ts";
import { runtimeNameOf } from "./targets.ts";

export interface BuildOptions {
  readonly entry: string;
  readonly outfile: string;
  /** The platform, such as `linux-arm64`. */
  readonly target: string;
  /** The path of Bun for the target, which becomes part of the executable. */
  readonly runtime: string;
  readonly version: string;
  readonly commit: string;
  /** The day of the commit; "" if unknown. */
  readonly date: string;
}

/** Builds the executable. Resolves to the problems; to an empty list if the build succeeded. */
export async function buildExecutable(options: BuildOptions): Promise<string[]> {
  const page = await buildPage();
  const result = await Bun.build({
    entrypoints: [options.entry],
    target: "bun",
    format: "esm",
    minify: true,
    // Split into chunks, because a lazy import is free at start only if it is a separate chunk.
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
      CODEXLB_PAGE_SCRIPT: JSON.stringify(page.script),
      CODEXLB_PAGE_STYLE: JSON.stringify(page.style),
      // By default Bun inserts the build machine's NODE_ENV, which changes the behaviour of libraries.
      "process.env.NODE_ENV": JSON.stringify("production"),
      // By default Bun inserts the directory of a package on the build machine. ioredis compares it with stack traces.
      __dirname: JSON.stringify(NOWHERE),
    },
    compile: {
      outfile: options.outfile,
      executablePath: options.runtime,
      // Without a target, Bun expects a runtime for the build machine's platform.
      target: `bun-${runtimeNameOf(options.target)}` as Bun.Build.CompileTarget,
      // Use the system's certificate store, which contains a company's own certificate authority.
      execArgv: ["--use-system-ca"],
      // Files in the user's current directory must not change the behaviour of the executable.
      autoloadDotenv: false,
      autoloadBunfig: false,
    },
    throw: false,
  });
  // Remove the source maps that every build leaves behind. The executable contains its own copy.
  for (const { kind, path } of result.outputs) if (kind === "sourcemap") rmSync(path, { force: true });
  // Bun signs arm64 executables only. In x64 ones it leaves the runtime's signature, which no longer matches.
  if (result.success && options.target.startsWith("darwin-"))
    writeFileSync(options.outfile, signAdHoc(readFileSync(options.outfile), "codexlb"));
  const problems = result.logs.map(String);
  return result.success || problems.length > 0 ? problems : ["the build failed without a reason"];
}
