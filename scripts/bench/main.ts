// `make bench`: measures codexlb beside the floor, nginx and others, and writes the result to bench/results/. Exits
// with 1 if a path returns wrong bytes or a figure misses its bound.
//
//   ROWS=a,b                rows to measure; default: all
//   ROUNDS=5                rounds of every row
//   BASELINE=/path/codexlb  an older executable, measured in the same rounds
//   PEER=/path              a program with the same command line as codexlb

import { resolve } from "node:path";
import { FIGURES, type RowName } from "./figures.ts";
import { judge } from "./judge.ts";
import { type Lab, openLab } from "./lab.ts";
import { differences } from "./proof.ts";
import { reportFigure } from "./report.ts";
import { resultOf, writeResult } from "./results.ts";
import { ROWS } from "./rows/rows.ts";
import { createSamples } from "./samples.ts";
import { direct, startSubjects } from "./subjects.ts";

const { BASELINE, PEER, ROUNDS: rounds = "5", ROWS: chosen = Object.keys(ROWS).join(",") } = process.env;
const rows = chosen.split(",").filter((name): name is RowName => Object.hasOwn(ROWS, name));
if (rows.length !== chosen.split(",").length || !(Number(rounds) >= 1)) {
  console.error(`ROWS must list rows from ${Object.keys(ROWS).join(",")}, and ROUNDS must be at least 1`);
  process.exit(2);
}

await using lab = await openLab({
  baseline: BASELINE ? resolve(BASELINE) : undefined,
  peer: PEER ? resolve(PEER) : undefined,
  rounds: Number(rounds),
  log: console.log,
});
if (lab.nginx === undefined)
  console.log("nginx is not installed, so its column is left out (apt-get install nginx)");
process.exitCode = (await provesBytes(lab)) && (await measuresRows(lab)) ? 0 : 1;

/** False if a subject other than the peer returns wrong bytes. */
async function provesBytes(lab: Lab): Promise<boolean> {
  let isRight = true;
  await using started = new AsyncDisposableStack();
  for (const subject of await startSubjects(lab)) {
    started.use(subject);
    const wrong = await differences(subject, direct(lab));
    for (const difference of wrong) console.log(`${subject.name} returns wrong bytes: ${difference}`);
    if (wrong.length === 0) console.log(`${subject.name} returns the right bytes on every path`);
    else if (subject.name !== "peer") isRight = false;
  }
  return isRight;
}

/** False if a figure misses its bound. */
async function measuresRows(lab: Lab): Promise<boolean> {
  const samples = createSamples();
  const missed: string[] = [];
  for (const row of rows) {
    const beganMs = performance.now();
    await ROWS[row](lab, samples);
    console.log(`\n(${row}) in ${((performance.now() - beganMs) / 1000).toFixed(0)} s`);
    for (const figure of FIGURES) {
      const measured = samples.byFigure[figure.id];
      if (figure.row !== row || measured === undefined) continue;
      console.log(reportFigure(figure, measured));
      if (judge(figure, measured).must === "MISSED") missed.push(figure.id);
    }
  }
  console.log(`\nwritten: ${writeResult(resultOf(lab, rows, samples))}`);
  console.log(missed.length === 0 ? "all bounds are met" : `missed: ${missed.join(", ")}`);
  return missed.length === 0;
}
