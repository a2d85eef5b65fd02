// Runs Codex as `codexlb run` does. The first argument is the JSON of the options.

import { runCodex } from "../../src/codex/run.ts";

const MAIN = `${import.meta.dir}/../../src/main.ts`;
const options = JSON.parse(process.argv[2] ?? "{}");
const ended = await runCodex({ ...options, self: [process.execPath, MAIN], env: process.env });
process.exit(ended.kind === "exit" ? ended.code : 255);
