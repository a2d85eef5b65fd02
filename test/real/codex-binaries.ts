// Real Codex binaries from the npm registry, kept outside the tree.

import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** `newest`: the newest tested version. `today`: the usual one. `old`: one without WebSocket and `openai_base_url`. */
export const CODEX_VERSIONS = { newest: "0.171.0", today: "0.169.0", old: "0.107.0" } as const;

const CACHE = process.env.CODEXLB_TEST_CACHE ?? join(tmpdir(), "codexlb-test-cache");

/** Why these Codex versions cannot be tested: one is missing and may not be fetched. Undefined if they can. */
export function whyNoCodex(...versions: string[]): string | undefined {
  if (process.env.CODEXLB_TEST_FETCH === "1") return undefined;
  const missing = versions.find((version) => !existsSync(pathOf(version)));
  return missing === undefined ? undefined : `Codex ${missing} is missing; make test-real fetches it`;
}

/** The path of the `codex` of `version`. Fetches the version if it is missing. */
export async function codexBinary(version: string): Promise<string> {
  const binary = pathOf(version);
  if (existsSync(binary)) return binary;
  // Another test file may be fetching the same version, so it appears complete or not at all.
  mkdirSync(CACHE, { recursive: true });
  const directory = mkdtempSync(`${directoryOf(version)}-`);
  const install = Bun.spawn(
    [
      "npm",
      "install",
      "--prefix",
      directory,
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
      `@openai/codex@${version}`,
    ],
    { stdin: "ignore", stdout: "ignore", stderr: "pipe" },
  );
  const [code, error] = await Promise.all([install.exited, install.stderr.text()]);
  if (code !== 0) throw new Error(`fetching @openai/codex@${version}: ${error}`);
  try {
    renameSync(directory, directoryOf(version));
  } catch (error) {
    if (!existsSync(binary)) throw error;
    rmSync(directory, { recursive: true });
  }
  return binary;
}

// --- internal ---

function directoryOf(version: string): string {
  return join(CACHE, `codex-${version}`);
}

function pathOf(version: string): string {
  return join(directoryOf(version), "node_modules", ".bin", "codex");
}
