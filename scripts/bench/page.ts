// Generates docs/performance.md from a result of `make bench`. The part at the end of the page is written by hand.

import { markdownTable } from "../markdown-table.ts";
import { FIGURES, type Figure, type SubjectName } from "./figures.ts";
import { boundText, judge } from "./judge.ts";
import { addedToDirect, SUBJECTS } from "./report.ts";
import { type BenchResult, readResult } from "./results.ts";
import { type FigureSamples, medianOf } from "./samples.ts";

/**
 * The page for the result at `path`, which is relative to the repository; default: the result that `page` names. `page`
 * is the present page, whose part below `BY_HAND` is kept. Throws if there is no such result.
 */
export function performancePage(page: string, path: string | undefined): string {
  const named = path ?? /bench\/results\/[\w.-]+\.json/.exec(page)?.[0];
  if (named === undefined)
    throw new Error("docs/performance.md names no result: make docs RESULT=bench/results/FILE");
  const start = page.indexOf(BY_HAND);
  return measuredPart(readResult(named), named) + (start < 0 ? BY_HAND : page.slice(start));
}

// --- internal ---

const BY_HAND =
  "<!-- Everything below this line is written by hand. `make docs` writes everything above it. -->\n";

function measuredPart(result: BenchResult, path: string): string {
  const { machine, versions, rounds, commit, at } = result;
  return `# Performance

Read this if you change the data plane, or want to know what the proxy costs you. It compares the CPU time, memory and
delay that codexlb adds with the least that a proxy on the same platform can add. \`make bench\` prints these figures on
your machine, and \`make profile\` shows where the time goes.

## Results

Commit ${commit}, ${at.slice(0, 10)}, Linux ${machine.kernel}, ${machine.processors} processors (${machine.model}), ${machine.memoryGib} GiB of
memory. Every value is the median of the rounds, of which most rows have ${rounds}. All rounds are in
[${path}](../${path}).

The columns compare codexlb with an older build (baseline), a minimal proxy on the same runtime (floor), nginx, and no
proxy at all (direct). [Method](#method) describes them.

${markdownTable([["program", "version"], ...Object.entries(versions)])}
${figuresTable(result)}
CPU-s are the CPU seconds of all threads of the proxy's process for the number of operations in the row. "must" and
"stretch" are the bounds for codexlb. A bound that refers to the baseline is judged only when \`make bench\` is given one.

Added to the delay without a proxy:

${addedTable(result)}
${METHOD}
`;
}

/** The subjects that were measured in any row. */
function subjectsOf({ figures }: BenchResult): SubjectName[] {
  return SUBJECTS.filter((name) => Object.values(figures).some((samples) => samples[name] !== undefined));
}

function figuresTable(result: BenchResult): string {
  const subjects = subjectsOf(result);
  const head = ["row", "figure", "unit", ...subjects, "ratio", "must", "stretch", "result"];
  return markdownTable([
    head,
    ...FIGURES.flatMap((figure) => figureRow(figure, result.figures[figure.id] ?? {}, subjects)),
  ]);
}

/** The row of a figure; none if the figure was not measured. */
function figureRow(figure: Figure, samples: FigureSamples, subjects: readonly SubjectName[]): string[][] {
  const { value, ratio, must, stretch } = judge(figure, samples);
  if (value === undefined) return [];
  const result = must === "met" && stretch === "met" ? "met, stretch too" : must;
  return [
    [
      figure.row,
      figure.title,
      figure.unit,
      ...subjects.map((name) => medianOf(samples, name)?.toFixed(figure.digits) ?? ""),
      ratio === undefined ? "" : `${ratio.value.toFixed(2)} x ${ratio.of}`,
      boundText(figure.must),
      boundText(figure.stretch),
      figure.must === undefined ? "" : result,
    ],
  ];
}

function addedTable(result: BenchResult): string {
  const subjects = subjectsOf(result).filter((name) => name !== "direct" && name !== "reference");
  const rows = FIGURES.flatMap((figure) => {
    const added = new Map(addedToDirect(result.figures[figure.id] ?? {}));
    if (added.size === 0) return [];
    return [
      [figure.row, figure.title, ...subjects.map((name) => added.get(name)?.toFixed(figure.digits) ?? "")],
    ];
  });
  return markdownTable([["row", "figure, ms", ...subjects], ...rows]);
}

const METHOD = `## Method

- Every row measures all its subjects in one run, in alternating rounds, so that other work of the machine hits all of
  them. Only the ratios of one run can be compared, never figures of different runs.
- The floor (\`scripts/bench/floor.ts\`) is \`Bun.serve\` and \`fetch\` with a buffered request body. It replaces the
  credentials, and passes the response body on without reading it. For WebSocket it uses Bun's built-in client. It is
  compiled into an executable like codexlb, so that both run on the same runtime in the same way.
- nginx is Debian's package: one process, as a plain reverse proxy that replaces the credentials.
- The backend (\`scripts/bench/backend.ts\`) and the clients (\`scripts/bench/load/\`) are processes of their own. Turns carry
  the quota headers and events of the real backend, because reading them is part of the proxy's work.
- CPU time is read from the CPU clock of each process (\`clock_getcpuclockid\`), and includes the writes to disk after
  the last request. Every process has handled the same load before the first round. Before rows (c) and (d) it has also
  handled 20,000 short turns, because these rows send many events but few requests: until the runtime has compiled the
  code for a request, the start of 100 streams at once takes several times as long.
- A delay is the time from the moment at which the backend makes an event to the moment at which the client has read it.
- Memory per connection is the growth of resident memory by 3,000 connections after the first 300, in a fresh process.
- Row (m) is the time until the proxy's admin API has answered, with the sums that a running proxy has of closed days.
- Row (n) has a pool of two replicas, and a Redis server with an append-only file. The commands are those that both
  replicas send, as the server counts them. The delay of a cooldown is measured in one process, with the connections and
  the encryption of two replicas: from the moment at which one notices it until the other has read it.
- Before anything is measured, the benchmark compares the status, the bytes, and the number and order of events of every
  path with those of the backend.
`;
