// Tests the executable's advice beside a proxy of another version.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { executable } from "../support/executable.ts";
import { foreignProxy, unknownPath } from "../support/foreign-proxy.ts";

const { version } = JSON.parse(readFileSync(join(import.meta.dir, "..", "..", "package.json"), "utf8"));

test("beside a newer proxy, commands advise upgrading the command", async () => {
  using program = executable();
  await using _ = foreignProxy(program.root, "99.0.0", unknownPath);
  const note = `the proxy runs version 99.0.0, and this command is version ${version}; upgrade this command\n`;
  expect((await program.run(["key", "list"])).err).toEndWith(`  ${note}`);
  const { out } = await program.run(["doctor"]);
  expect(out).toContain(
    `runs version 99.0.0, and this command is version ${version})\n    upgrade this command (${program.path}) to version 99.0.0: codexlb upgrade --from DIR|URL\n`,
  );
  expect(out).toContain(note);
});

test("beside an older proxy, commands advise restarting the proxy", async () => {
  using program = executable();
  await using _ = foreignProxy(program.root, "0.0.1", unknownPath);
  const { out } = await program.run(["doctor"]);
  expect(out).toContain("    restart it: kill 4711, then start codexlb proxy again\n");
});
