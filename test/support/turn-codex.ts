// A program in place of Codex that knows `--version` and `exec`: it sends one turn to the address in its settings, prints
// the answer, and writes it to the file of `-o`.

import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Creates the program `codex` in `directory`. Returns its path. */
export function turnCodex(directory: string): string {
  const source = join(directory, "turn-codex.ts");
  const client = join(import.meta.dir, "..", "..", "src", "mock", "client.ts");
  writeFileSync(
    source,
    `import { writeFileSync } from "node:fs";
import { createSseClient } from ${JSON.stringify(client)};
const words = process.argv.slice(2);
const url = words.join("\\n").match(/openai_base_url="(.*)\\/backend-api\\/codex"/)?.[1] ?? "";
const answer = await createSseClient(url, crypto.randomUUID()).turn(words.at(-1) ?? "");
console.log(answer);
if (words.includes("-o")) writeFileSync(words[words.indexOf("-o") + 1] ?? "", answer);
`,
  );
  const path = join(directory, "codex");
  // The version needs no Bun, which writes a cache to HOME.
  const version = '[ "$1" = --version ] && { echo codex-cli 0.171.0; exit; }';
  writeFileSync(path, `#!/bin/sh\n${version}\nexec '${process.execPath}' '${source}' "$@"\n`, {
    mode: 0o755,
  });
  return path;
}
