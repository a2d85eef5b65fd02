// Tests the advice that a starting proxy prints.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { systemDeps } from "../../src/deps.ts";
import { startMock } from "../../src/mock/backend.ts";
import { layoutOf } from "../../src/state/layout.ts";
import { executable } from "../support/executable.ts";
import { enrol } from "../support/pool.ts";

test("the command for Codex names the root only if it is not the default one", async () => {
  using program = executable();
  const mock = startMock({ accounts: [{ alias: "alice" }], clock: systemDeps().clock });
  try {
    const usual = join(program.directory, "home", ".codex-lb");
    const other = join(program.directory, "other");
    for (const [root, command] of [
      [usual, "codexlb run"],
      [other, `codexlb run --root ${other}`],
    ] as const) {
      enrol(layoutOf(root), "alice", mock.authFile("alice"));
      await using proxy = await program.start(
        ["proxy", "--root", root, "--listen", "127.0.0.1:0", "--upstream", mock.baseUrl],
        { CODEXLB_ROOT: "", CODEXLB_TOKEN_URL: mock.tokenUrl },
      );
      expect((await proxy.stop()).err).toContain(`1 account; run Codex with: ${command}\n`);
    }
  } finally {
    await mock.stop();
  }
});
