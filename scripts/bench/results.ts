// The result of a run, as stored in bench/results/.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { commitName, readCommit } from "../commit.ts";
import { FIGURES, type RowName } from "./figures.ts";
import type { Lab } from "./lab.ts";
import type { FigureSamples, Samples } from "./samples.ts";

export interface BenchResult {
  /** The time at which the run ended, ISO 8601. */
  readonly at: string;
  readonly commit: string;
  readonly machine: Machine;
  /** The versions of codexlb and of the programs measured beside it. */
  readonly versions: Readonly<Record<string, string>>;
  readonly rounds: number;
  readonly rows: readonly RowName[];
  /** The rounds of every subject, by the ID of the figure. */
  readonly figures: Readonly<Record<string, FigureSamples>>;
}

interface Machine {
  readonly processors: number;
  readonly model: string;
  readonly memoryGib: number;
  readonly kernel: string;
}

/** The result of a run that ends now. */
export function resultOf(lab: Lab, rows: readonly RowName[], { byFigure }: Samples): BenchResult {
  const measured = FIGURES.flatMap(({ id }) => {
    const samples = byFigure[id];
    return samples === undefined ? [] : [[id, rounded(samples)] as const];
  });
  return {
    at: new Date().toISOString(),
    commit: commitName(readCommit(REPOSITORY)),
    machine: {
      processors: cpus().length,
      model: cpus()[0]?.model ?? "unknown",
      memoryGib: Math.round(totalmem() / 1024 ** 3),
      kernel: release(),
    },
    versions: versionsOf(lab),
    rounds: lab.rounds,
    rows,
    figures: Object.fromEntries(measured),
  };
}

/** Writes `result` to a new file. Returns its path within the repository. */
export function writeResult(result: BenchResult): string {
  mkdirSync(RESULTS, { recursive: true });
  const name = `${result.at.slice(0, 16).replace(/:/g, "")}-${result.commit}.json`;
  writeFileSync(join(RESULTS, name), `${JSON.stringify(result, undefined, 2)}\n`);
  return join("bench", "results", name);
}

/** Reads the result that `writeResult` wrote to `path`, which is relative to the repository. */
export function readResult(path: string): BenchResult {
  return JSON.parse(readFileSync(join(REPOSITORY, path), "utf8"));
}

// --- internal ---

const REPOSITORY = join(import.meta.dir, "..", "..");
const RESULTS = join(REPOSITORY, "bench", "results");

function versionsOf({ executable, baseline, peer, nginx }: Lab): Record<string, string> {
  const lineOf = (argv: string[]): string => {
    const { stdout, stderr } = Bun.spawnSync(argv, { stdout: "pipe", stderr: "pipe" });
    return `${stdout}${stderr}`.split("\n")[0] ?? "";
  };
  return {
    bun: Bun.version,
    codexlb: lineOf([executable, "--version"]),
    ...(baseline === undefined ? {} : { baseline: lineOf([baseline, "--version"]) }),
    ...(peer === undefined ? {} : { peer: lineOf([peer, "--version"]) }),
    ...(nginx === undefined ? {} : { nginx: lineOf([nginx, "-v"]).replace(/^nginx version: /, "") }),
  };
}

/** Rounds to four significant digits, which is more than the accuracy of the measurement. */
function rounded(samples: FigureSamples): FigureSamples {
  return Object.fromEntries(
    Object.entries(samples).map(([subject, values]) => [
      subject,
      values.map((value) => Number(value.toPrecision(4))),
    ]),
  );
}
