// A script in place of `codex` for tests of logins. It writes the result that a test asks for, and records how it
// was started.

import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface FakeCodex {
  readonly path: string;
  /** The arguments, the CODEX_HOME and the config.toml of each start so far. */
  starts(): { readonly args: string[]; readonly home: string; readonly config: string }[];
  /** The process ID of the last start. */
  pid(): number;
}

/**
 * Creates the script in `directory`. `auth`: what the script writes to CODEX_HOME/auth.json; undefined: it writes
 * nothing. `wait`: the script prints its first lines and then waits until it is killed.
 */
export function fakeCodex(
  directory: string,
  { auth, exitCode = 0, wait = false }: { auth?: string; exitCode?: number; wait?: boolean } = {},
): FakeCodex {
  const path = join(directory, "codex");
  const record = join(directory, "starts.jsonl");
  const source = join(directory, "auth-to-write.json");
  if (auth !== undefined) writeFileSync(source, auth);
  const script = `#!/bin/sh
printf '%s\\t%s\\t%s\\n' "$CODEX_HOME" "$*" "$(tr '\\n' ';' < "$CODEX_HOME/config.toml")" >> '${record}'
echo $$ > '${directory}/pid'
echo "open https://auth.example/codex/device and enter ABCD-1234"
echo "a warning" >&2
${wait ? "exec sleep 600" : ""}
${auth === undefined ? "" : `cp '${source}' "$CODEX_HOME/auth.json"`}
exit ${exitCode}
`;
  writeFileSync(path, script);
  chmodSync(path, 0o755);
  return {
    path,
    starts: () =>
      (existsSync(record) ? readFileSync(record, "utf8") : "")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => {
          const [home = "", args = "", config = ""] = line.split("\t");
          return { home, args: args === "" ? [] : args.split(" "), config };
        }),
    pid: () => Number(readFileSync(join(directory, "pid"), "utf8")),
  };
}
