// Runs before any test. Sets a separate HOME, so that no user files are read or written; removes the variables that
// configure the program; and raises Bun's timeout of 5 s per test.

import { afterAll } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { plugin } from "bun";

const home = mkdtempSync(join(tmpdir(), "codexlb-test-home-"));
process.env.HOME = home;
afterAll(() => rmSync(home, { recursive: true, force: true }));
for (const name of Object.keys(process.env))
  if (name.startsWith("CODEXLB_") && !name.startsWith("CODEXLB_TEST_")) delete process.env[name];
for (const name of [
  "CODEX_HOME",
  "OPENAI_API_KEY",
  "COLUMNS",
  "HTTPS_PROXY",
  "HTTP_PROXY",
  "https_proxy",
  "http_proxy",
])
  delete process.env[name];

/** Long enough for a chain of proxies on a busy machine. `make fuzz` sets a longer one. */
const TIMEOUT_MS = Number(process.env.CODEXLB_TEST_TIMEOUT_MS ?? 120_000);

// Bun has no setting for the timeout and resets it after every file. So every file sets it, on its first line, which
// keeps line numbers unchanged. This overrides --timeout.
plugin({
  name: "default timeout of every test file",
  setup: (build) => {
    build.onLoad({ filter: /\.test\.ts$/ }, async ({ path }) => ({
      loader: "ts",
      contents: `import { setDefaultTimeout as __set } from "bun:test"; __set(${TIMEOUT_MS});${await Bun.file(path).text()}`,
    }));
  },
});
