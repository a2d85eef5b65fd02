// Before any test: a HOME of its own, so that nothing of the user's is read or written, and none of the variables
// that steer the program.

import { afterAll } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

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
