// Tests the service in a real user systemd, and its upgrade to another build of the program.

import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { buildExecutable } from "../../scripts/build-executable.ts";
import { hostTarget } from "../../scripts/bun-runtime.mjs";
import { targetOf } from "../../scripts/targets.ts";
import { addRelease } from "../support/fake-release.ts";
import { tempDirectory } from "../support/temp.ts";

const REPOSITORY = join(import.meta.dir, "..", "..");
const BOOT = join(import.meta.dir, "systemd", "boot.sh");
const SCENARIO = join(import.meta.dir, "systemd", "scenario.ts");

/** How long to wait for systemd to start. */
const PROBE_MS = 30_000;

/** The command that runs `argv` together with a separate systemd. */
const beside = (argv: readonly string[]) => ["unshare", "--mount", "sh", BOOT, ...argv];

const INSTALLED = "1.0.0";
const NEWER = "1.1.0";
const BROKEN = "1.2.0";

/** Builds the program with the version number `version`. */
async function build(outfile: string, version: string): Promise<void> {
  const problems = await buildExecutable({
    entry: join(REPOSITORY, "src", "main.ts"),
    outfile,
    target: targetOf(hostTarget()),
    runtime: process.execPath,
    version,
    commit: "0123456789ab",
    date: "",
  });
  expect(problems).toEqual([]);
}

/** Why this machine cannot start a user systemd; undefined if it can. */
function obstacle(): string | undefined {
  if (process.platform !== "linux") return "systemd requires Linux";
  if (process.getuid?.() !== 0) return "only root can start a second systemd";
  if (!existsSync("/lib/systemd/systemd") || Bun.which("systemctl") === null)
    return "systemd is not installed";
  using home = tempDirectory();
  const probe = Bun.spawnSync(beside(["systemctl", "--user", "show", "--property=Version"]), {
    env: { PATH: process.env.PATH ?? "", HOME: home.path },
    timeout: PROBE_MS,
  });
  if (probe.exitCode === 0) return undefined;
  const log = join(home.path, "systemd.log");
  const output = [probe.stderr.toString(), existsSync(log) ? readFileSync(log, "utf8") : ""].join(" ");
  return `systemd does not start: ${output.replaceAll(/\s+/g, " ").trim()}`;
}

const problem = obstacle();
if (problem !== undefined) console.log(`skipped: the service in a real systemd (${problem})`);

test.skipIf(problem !== undefined)(
  "a real systemd runs the service, restarts it when it hangs, and runs its upgrades",
  async () => {
    using temp = tempDirectory();
    const home = join(temp.path, "a home %h $USER");
    const bin = join(temp.path, "bin dir %n");
    for (const directory of [home, bin, join(temp.path, "good"), join(temp.path, "bad")])
      mkdirSync(directory);
    const executable = join(bin, "codexlb");
    await build(executable, INSTALLED);
    const other = join(temp.path, "codexlb-newer");
    await build(other, NEWER);
    addRelease(join(temp.path, "good"), { version: NEWER, program: other });
    // This program prints its version and exits, so its proxy does not start.
    addRelease(join(temp.path, "bad"), { version: BROKEN });
    const ran = Bun.spawnSync(
      beside([process.execPath, SCENARIO, executable, join(temp.path, "good"), join(temp.path, "bad")]),
      { env: { PATH: process.env.PATH ?? "", HOME: home } },
    );
    expect([ran.exitCode, ran.stderr.toString()]).toEqual([0, ""]);
    const seen = JSON.parse(ran.stdout.toString());

    expect(seen.installed).toEqual({
      code: 0,
      out: `installed ${seen.unit}, and started the service\n`,
      err: "",
    });
    expect(seen.first).toMatchObject({
      running: true,
      enabled: true,
      proxy: { version: INSTALLED, pid: seen.first.pid },
    });
    expect(seen.commandLine).toEqual([executable, "proxy", "--root", seen.root]);
    const answers = ["Hello from alice", "Hello from alice"];
    expect(seen.firstTurns).toEqual(answers);
    expect(seen.again.out).toEndWith("codexlb-proxy.service is up to date, and the service is running\n");
    expect(seen.afterAgain.pid).toBe(seen.first.pid);
    expect(seen.reloaded).toBe(0);
    expect(seen.restarted).toEqual({ code: 0, out: "restarted the service\n", err: "" });
    expect(seen.afterRestart).toMatchObject({ running: true, proxy: { pid: seen.afterRestart.pid } });
    expect(seen.afterRestart.pid).not.toBe(seen.first.pid);

    expect(seen.restartsByWatchdog).toBeGreaterThan(0);

    expect(seen.check).toEqual({
      code: 0,
      out: `version ${NEWER} is available; this is ${INSTALLED}\n`,
      err: "",
    });
    expect(seen.upgraded).toEqual({
      code: 0,
      out: `upgraded ${executable} from ${INSTALLED} to ${NEWER}, and restarted the service\n`,
      err: "",
    });
    expect(seen.lateAnswer).toBe("Hello from alice");
    expect(seen.lastTurns).toEqual(answers);
    expect(seen.afterUpgrade).toMatchObject({ running: true, proxy: { version: NEWER } });
    expect(seen.brokenUpgrade.code).toBe(1);
    expect(seen.brokenUpgrade.err).toStartWith(
      `codexlb: the service failed to start with version ${BROKEN}, so version ${NEWER} was restored: `,
    );
    expect(seen.afterBroken).toMatchObject({ running: true, proxy: { version: NEWER } });

    expect(seen.uninstalled).toEqual({ code: 0, out: `uninstalled ${seen.unit}\n`, err: "" });
    expect(seen.gone.code).toBe(1);
    expect(existsSync(`/proc/${seen.afterBroken.pid}`)).toBe(false);
  },
);
