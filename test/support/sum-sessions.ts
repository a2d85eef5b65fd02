// Adds the turns of the usage database at PATH to the sums of sessions, as they would be at the time MS, a few at a
// time, and prints a character after each step. Afterwards it waits to be killed: bun sum-sessions.ts PATH MS

import { createSessionSums } from "../../src/state/usage/session-sums.ts";
import { openUsageFile } from "../../src/state/usage/usage-file.ts";

const [path = "", nowMs] = process.argv.slice(2);
const sums = createSessionSums(openUsageFile(path));
while (sums.addSome(Number(nowMs), 20) > 0) process.stdout.write(".");
process.stdout.write("!");
setInterval(() => {}, 2 ** 30);
