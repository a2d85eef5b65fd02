// Runs the tests in the given paths, one file per processor at a time; flags go to `bun test`. The last line of output is
// `N passed, N failed`, followed by `, N skipped` if tests were skipped.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const options = process.argv
  .slice(2)
  .map((argument) => (argument.startsWith("-") ? argument : `./${argument}`));
const directory = mkdtempSync(join(tmpdir(), "codexlb-report-"));
const report = join(directory, "junit.xml");

const run = Bun.spawn(
  [process.execPath, "test", "--parallel", "--reporter=junit", `--reporter-outfile=${report}`, ...options],
  { stdin: "ignore", stdout: "inherit", stderr: "inherit" },
);
const code = await run.exited;
const totals = readTotals();
rmSync(directory, { recursive: true, force: true });

const failed = totals.failures;
const passed = totals.tests - failed - totals.skipped;
console.log(`${passed} passed, ${failed} failed${totals.skipped > 0 ? `, ${totals.skipped} skipped` : ""}`);
process.exit(code === 0 && totals.tests === 0 ? 1 : code);

/** The attributes of the report's root element. */
function readTotals(): { tests: number; failures: number; skipped: number } {
  const root = /<testsuites [^>]*>/.exec(readText())?.[0] ?? "";
  const read = (name: string) => Number(new RegExp(` ${name}="(\\d+)"`).exec(root)?.[1] ?? 0);
  return { tests: read("tests"), failures: read("failures"), skipped: read("skipped") };
}

function readText(): string {
  try {
    return readFileSync(report, "utf8");
  } catch {
    return ""; // The runner crashed before it wrote its report. Its exit code reports that.
  }
}
