// Runs the proxy like its image, but without Docker. Command, environment and health check come from the Dockerfile.
// The process runs in separate namespaces, as a user without a name, on a read-only root file system, without
// capabilities.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { environmentOf, lastOf, stagesOf, wordsOf } from "../support/dockerfile.ts";
import { tempDirectory } from "../support/temp.ts";
import { testBinary } from "../support/test-binary.ts";
import type { ContainerCase, ContainerReport } from "./container/container-case.ts";

const REPOSITORY = join(import.meta.dir, "..", "..");
const SCENARIO = join(import.meta.dir, "container", "scenario.ts");
/** Gives the container its own process IDs, mounts and network. */
const NAMESPACES = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"];

const problem = obstacle();
if (problem !== undefined) console.log(`skipped: the container's command in namespaces (${problem})`);

test.skipIf(problem !== undefined)(
  "the image's command serves as any user on a read-only root, is healthy, and stops on SIGTERM",
  async () => {
    using temp = tempDirectory();
    const proxy = stagesOf(readFileSync(join(REPOSITORY, "Dockerfile"), "utf8")).at(-1);
    if (proxy === undefined) throw new Error("the Dockerfile has no stage");
    const container: ContainerCase = {
      command: [...wordsOf(lastOf(proxy, "ENTRYPOINT")), ...wordsOf(lastOf(proxy, "CMD"))],
      health: wordsOf(lastOf(proxy, "HEALTHCHECK")?.split(" CMD ")[1]),
      env: environmentOf(proxy),
      uid: 12_345,
      // The address that a proxy on the host writes. Clients on the host use it to find the published port.
      configToml: '[proxy]\nname = "from-the-host"\nlisten = "127.0.0.1:8765"\nmax_attempts = 2\n',
      healthzUrl: "http://127.0.0.1:8765/healthz",
    };
    const argv = [process.execPath, SCENARIO, temp.path, testBinary(), JSON.stringify(container)];
    const child = Bun.spawn([...NAMESPACES, ...argv], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
    const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    expect([await child.exited, err]).toEqual([0, expect.stringContaining("no accounts yet")]);
    const { output, ...report } = JSON.parse(out) as ContainerReport;
    expect(output).toContain("codexlb proxy from-the-host listening on http://0.0.0.0:8765 ");
    expect(report).toEqual({
      uid: "12345",
      capabilities: "0".repeat(16),
      noNewPrivileges: "1",
      healthCode: 0,
      writeCode: 1,
      exitCode: 0,
    });
  },
  60_000,
);

// --- internal ---

/** Why this machine cannot create namespaces; undefined if it can. */
function obstacle(): string | undefined {
  if (process.platform !== "linux") return "namespaces require Linux";
  if (process.getuid?.() !== 0) return "only root can create them";
  const missing = ["unshare", "chroot", "setpriv", "ip", "mount"].filter((name) => Bun.which(name) === null);
  if (missing.length > 0) return `not installed: ${missing.join(", ")}`;
  const probe = Bun.spawnSync([...NAMESPACES, "true"]);
  return probe.exitCode === 0 ? undefined : `unshare: ${probe.stderr.toString().trim()}`;
}
