// Temporary directories that are removed with the test.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TempDirectory extends Disposable {
  readonly path: string;
}

export function tempDirectory(): TempDirectory {
  const path = mkdtempSync(join(tmpdir(), "clb-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
