// What `codexlb account import` prints about several logins.

import { basename, dirname, join } from "node:path";
import { fittedTable, type TableFrame } from "../terminal/fitted-table.ts";
import { table } from "../terminal/table.ts";
import type { ImportOutcome, ImportResult } from "./import-many.ts";

/** The table of `outcomes`: fitted to a terminal, or plain without `frame`. */
export function importTable(
  outcomes: readonly ImportOutcome[],
  dryRun: boolean,
  frame: TableFrame | undefined,
): string {
  const columns = [
    { heading: "ALIAS", cells: outcomes.map(({ alias }) => alias ?? "-") },
    // Without an address, the file identifies the login.
    { heading: "EMAIL", cells: outcomes.map(({ email, file }) => email ?? `(${shortPath(file)})`) },
    { heading: "WORKSPACE", cells: outcomes.map(({ workspace }) => workspace ?? "-"), rank: 3 },
    { heading: "PLAN", cells: outcomes.map(({ plan }) => plan ?? "-"), rank: 2 },
    { heading: "FILE", cells: outcomes.map(({ file }) => shortPath(file)), rank: 1 },
    { heading: "RESULT", cells: outcomes.map((outcome) => resultText(outcome, dryRun)), wraps: true },
  ];
  if (frame !== undefined) return fittedTable(columns, frame);
  return table([
    columns.map(({ heading }) => heading),
    ...outcomes.map((_, row) => columns.map(({ cells }) => cells[row] ?? "")),
  ]);
}

/** One line: how many logins had which result. `total`: the number of accounts afterwards. */
export function importSummary(outcomes: readonly ImportOutcome[], dryRun: boolean, total: number): string {
  const shown = outcomes.map((outcome) => shownResult(outcome, dryRun));
  const count = (...results: ImportResult[]) => shown.filter((result) => results.includes(result)).length;
  const parts = [
    `${count("imported")} ${dryRun ? "to import" : "imported"}`,
    ...(count("updated") > 0 ? [`${count("updated")} updated`] : []),
    ...(count("unchanged", "enrolled") > 0 ? [`${count("unchanged", "enrolled")} enrolled already`] : []),
    ...(count("skipped") > 0 ? [`${count("skipped")} ${dryRun ? "to skip" : "skipped"}`] : []),
  ];
  return `${parts.join(", ")} (total=${total})\n`;
}

/** True if a login was imported or updated, or would be. */
export function wasTaken({ result }: ImportOutcome): boolean {
  return result === "imported" || result === "updated";
}

/**
 * What the user must do after an import; undefined if only API keys were imported, which can be used in several places.
 * `path`: where the logins came from.
 */
export function oneOwnerNotice(outcomes: readonly ImportOutcome[], path: string): string | undefined {
  const logins = outcomes.filter((outcome) => wasTaken(outcome) && outcome.api_url === undefined);
  if (logins.length === 0) return undefined;
  const programs = new Set(logins.map(({ program }) => program));
  programs.delete("Codex");
  const others =
    programs.size === 0 ? `the copies in ${path}` : `these logins in ${[...programs].join(" and ")}`;
  return `stop using ${others}: a login must be in one place, because each token refresh of one copy invalidates the other`;
}

// --- internal ---

/** The result for a person. A copy of a login that a dry run would import is not enrolled yet. */
function shownResult({ result, copy_of }: ImportOutcome, dryRun: boolean): ImportResult {
  return dryRun && copy_of !== undefined ? "skipped" : result;
}

function resultText(outcome: ImportOutcome, dryRun: boolean): string {
  const { reason } = outcome;
  const result = shownResult(outcome, dryRun);
  const words =
    dryRun && (result === "imported" || result === "skipped") ? `would be ${result}` : RESULTS[result];
  return reason === undefined ? words : `${words}: ${reason}`;
}

const RESULTS: Readonly<Record<ImportResult, string>> = {
  imported: "imported",
  updated: "updated",
  unchanged: "unchanged",
  enrolled: "enrolled already",
  skipped: "skipped",
};

/** The name of a file, with its directory if several files have the same name. */
function shortPath(path: string): string {
  const name = basename(path);
  return name === "auth.json" ? join(basename(dirname(path)), name) : name;
}
