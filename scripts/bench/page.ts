// docs/performance.md: the newest whole result of `make bench`, between parts that are written by hand.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { markdownTable } from "../markdown-table.ts";
import { FIGURES, type Figure, type SubjectName } from "./figures.ts";
import { boundText, judge } from "./judge.ts";
import { addedToDirect, SUBJECTS } from "./report.ts";
import { type BenchResult, newestResult } from "./results.ts";
import { type FigureSamples, medianOf } from "./samples.ts";

/** The page as `make docs` writes it. The text below `BY_HAND` is kept from the present page. */
export function performancePage(): string {
  const result = newestResult();
  return `${result === undefined ? "" : measuredPart(result)}${BY_HAND}${byHand()}`;
}

// --- internal ---

const PAGE = join(import.meta.dir, "..", "..", "docs", "performance.md");

const BY_HAND =
  "<!-- Everything below this line is written by hand. `make docs` writes everything above it. -->\n";

function byHand(): string {
  const page = existsSync(PAGE) ? readFileSync(PAGE, "utf8") : "";
  const start = page.indexOf(BY_HAND);
  return start < 0 ? "" : page.slice(start + BY_HAND.length);
}

function measuredPart(result: BenchResult): string {
  const { machine, versions, rounds, commit, at } = result;
  const software = Object.entries(versions).map(([name, version]) => `${name}: \`${version}\``);
  return `# Performance

How much CPU time, memory and delay codexlb adds, compared with the least that a proxy on the same platform can do. For
people who change the data plane, or who want to know what the proxy costs them. \`make bench\` prints these figures on
your machine, and \`make profile\` shows where the time goes.

## Results

Commit ${commit}, ${at.slice(0, 10)}, ${machine.processors} processors (${machine.model}), ${machine.memoryGib} GiB, Linux
${machine.kernel}. Medians of ${rounds} rounds. ${software.join(", ")}.

${markdownTable([HEAD, ...FIGURES.flatMap((figure) => rowOf(figure, result.figures[figure.id] ?? {}))])}
CPU-s are the CPU seconds of all threads of the proxy's process for the number of operations in the row. "must" and
"stretch" are the bounds for codexlb. A bound that refers to the baseline is judged only when \`make bench\` is given one.

Added to the delay without a proxy:

${markdownTable([ADDED_HEAD, ...FIGURES.flatMap((figure) => addedRow(figure, result.figures[figure.id] ?? {}))])}
${METHOD}
`;
}

/** The columns after the figure's own; `reference` is what a row's title names. */
const COLUMNS = SUBJECTS.filter((name) => name !== "codexlb");
const HEAD = ["row", "figure", "unit", "codexlb", ...COLUMNS, "ratio", "must", "stretch", "result"];

function rowOf(figure: Figure, samples: FigureSamples): string[][] {
  if (medianOf(samples, "codexlb") === undefined) return [];
  const { ratio, must, stretch } = judge(figure, samples);
  const shown = (name: SubjectName): string => medianOf(samples, name)?.toFixed(figure.digits) ?? "";
  const result = must === "reached" && stretch === "reached" ? "reached, stretch too" : must;
  return [
    [
      figure.row,
      figure.title,
      figure.unit,
      ...["codexlb" as const, ...COLUMNS].map(shown),
      ratio === undefined ? "" : `${ratio.value.toFixed(2)} x ${ratio.of}`,
      boundText(figure.must),
      boundText(figure.stretch),
      figure.must === undefined ? "" : result,
    ],
  ];
}

const ADDED = SUBJECTS.filter((name) => name !== "direct" && name !== "reference");
const ADDED_HEAD = ["row", "figure, ms", ...ADDED];

function addedRow(figure: Figure, samples: FigureSamples): string[][] {
  const added = new Map(addedToDirect(samples));
  if (added.size === 0) return [];
  return [[figure.row, figure.title, ...ADDED.map((name) => added.get(name)?.toFixed(figure.digits) ?? "")]];
}

const METHOD = `## Method

- Every row measures all its subjects in one run, in alternating rounds, so that other work of the machine hits all of
  them. Only the ratios of one run can be compared, never figures of different runs.
- The floor (\`scripts/bench/floor.ts\`) is \`Bun.serve\` and \`fetch\` with a buffered request body. It replaces the
  credentials, and passes the response body on without reading it. For WebSocket it uses Bun's built-in client. It is
  compiled into an executable like codexlb.
- nginx is Debian's package: one process, as a plain reverse proxy that replaces the credentials.
- The backend (\`scripts/bench/backend.ts\`) and the clients (\`scripts/bench/load/\`) are processes of their own. Turns carry
  the quota headers and events of the real backend, because reading them is part of the proxy's work.
- CPU time comes from \`/proc/PID/stat\`, including the writes behind the last request. Every process has handled thousands
  of requests of the same kind before the first round.
- A delay is the time from the moment at which the backend makes an event to the moment at which the client has read it.
- Memory per connection is the growth of resident memory by 3,000 connections after the first 300, in a fresh process.
- Before anything is measured, the benchmark compares the status, the bytes, and the number and order of events of every
  path with those of the backend.
`;
