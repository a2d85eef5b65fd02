// Before any test: a HOME of its own, so that nothing of the user's is read or written, none of the variables that steer
// the program, and more time than Bun's 5 s for each test.

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

// Bun has no setting for it, and forgets the default timeout when a file is done: so every file sets it, on its first
// line, so that the numbers of lines stay. This takes precedence over --timeout.
plugin({
  name: "default timeout of every test file",
  setup: (build) => {
    build.onLoad({ filter: /\.test\.ts$/ }, async ({ path }) => ({
      loader: "ts",
      contents: `import { setDefaultTimeout as __set } from "bun:test"; __set(${TIMEOUT_MS});${await Bun.file(path).text()}`,
    }));
  },
});
