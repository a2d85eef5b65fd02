// A process that is killed while it adds turns to the sums of sessions repeats none of them, and loses none.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { createSessionSums } from "../../src/state/usage/session-sums.ts";
import { openUsageFile } from "../../src/state/usage/usage-file.ts";
import { recordTurns } from "../support/record-turns.ts";
import { tempDirectory } from "../support/temp.ts";
import { NOON } from "../support/turn-record.ts";

const TURNS = 20_000;
const KILLS = 10;
const SCRIPT = join(import.meta.dir, "..", "support", "sum-sessions.ts");
/** What the script prints at its end: an exclamation mark. */
const DONE = 0x21;
const TOKENS = "sum(input_tokens) AS input, sum(output_tokens) AS output";

test("the sums of sessions are exact after kills", async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "usage.db");
  const DAY_MS = 86_400_000;
  recordTurns(
    path,
    Array.from({ length: TURNS }, (_, index) => ({
      startedMs: NOON - 15 * DAY_MS + index * 60_000,
      session: `session ${index % 50}`,
      tokens: { input: 1_000 + index, cachedInput: 0, output: index, reasoning: 0 },
    })),
  );
  for (let round = 1; round <= KILLS; round++) {
    const summing = Bun.spawn([process.execPath, SCRIPT, path, String(NOON)], { stdout: "pipe" });
    let steps = 0;
    for await (const chunk of summing.stdout) {
      steps += chunk.length;
      if (steps >= round || chunk.includes(DONE)) break;
    }
    summing.kill("SIGKILL");
    await summing.exited;
  }
  using database = openUsageFile(path);
  const sums = createSessionSums(database);
  let rest = 0;
  for (let count = -1; count !== 0; rest += count) count = sums.addSome(NOON);
  sums.finalize();
  console.log(`killed ${KILLS} times while ${TURNS - rest} of ${TURNS} turns were added`);
  expect(database.query(`SELECT sum(turns) AS turns, ${TOKENS} FROM session_days`).get()).toEqual(
    database.query(`SELECT count(*) AS turns, ${TOKENS} FROM turns`).get(),
  );
});
