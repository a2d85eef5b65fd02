// Finds or builds the executable for tests.

import { join } from "node:path";

const REPOSITORY = join(import.meta.dir, "..", "..");

/** The path of the executable in `CODEXLB_TEST_BINARY`, which make sets. Without the variable it is built once. */
export function testBinary(): string {
  const { CODEXLB_TEST_BINARY: named } = process.env;
  if (named !== undefined) return named;
  const made = Bun.spawnSync(["make", "build"], { cwd: REPOSITORY, stdout: "pipe", stderr: "pipe" });
  if (!made.success) throw new Error(`building the executable with make build: ${made.stderr}${made.stdout}`);
  const path = join(REPOSITORY, "dist", "codexlb");
  process.env.CODEXLB_TEST_BINARY = path;
  return path;
}
