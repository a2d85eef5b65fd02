// `codexlb account redeem` while no proxy runs on the root.

import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startDaemon } from "../../../src/daemon/daemon.ts";
import { systemDeps } from "../../../src/deps.ts";
import { startMock } from "../../../src/mock/backend.ts";
import { createSseClient } from "../../../src/mock/client.ts";
import { layoutOf } from "../../../src/state/layout.ts";
import { runCli } from "../../support/cli.ts";
import { enrol } from "../../support/pool.ts";
import { tempDirectory } from "../../support/temp.ts";

test("the figures and the number of credits after the reset are kept", async () => {
  using temp = tempDirectory();
  const mock = startMock({
    accounts: [{ alias: "alice", turns: 1, resets: 2 }],
    clock: systemDeps().clock,
  });
  try {
    const layout = layoutOf(join(temp.path, "root"));
    enrol(layout, "alice", mock.authFile("alice"));
    const listen = `listen = "127.0.0.1:0"\nupstream_base_url = "${mock.baseUrl}"`;
    writeFileSync(layout.config, `[proxy]\nname = "edge"\n${listen}\n`);
    const env = { CODEXLB_TOKEN_URL: mock.tokenUrl };
    const deps = systemDeps();
    const daemon = await startDaemon(layout, {}, { ...deps, env: { ...deps.env, ...env } });
    const client = createSseClient(daemon.url, "s");
    await client.turn("one");
    await client.turn("two").catch(() => {});
    await daemon.stop("test");
    const account = (...words: string[]) =>
      runCli(["account", ...words, "--root", layout.root, "alice"], { cwd: temp.path, env });
    expect((await account("show")).out).toContain("limit reached");
    expect((await account("redeem", "--yes")).out).toBe(
      "reset the limits of account alice (1 reset credit left)\n",
    );
    const shown = (await account("show")).out;
    expect(shown).toMatch(/daily +100\.0 % left, .*usage_api/);
    expect(shown).toMatch(/reset credits +1,/);
  } finally {
    await mock.stop();
  }
});
