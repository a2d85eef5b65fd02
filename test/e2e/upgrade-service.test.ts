// Tests upgrades of an executable that a service runs: failures before, during and after its restart.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { type Executable, executable } from "../support/executable.ts";
import { type FakeManagers, fakeManagers } from "../support/fake-managers.ts";
import { addRelease, versionScript } from "../support/fake-release.ts";

const { version } = JSON.parse(readFileSync(join(import.meta.dir, "..", "..", "package.json"), "utf8"));
const NEWER = "99.0.0";
const RESTART = "systemctl --user restart codexlb-proxy.service";

let program: Executable;
let managers: FakeManagers;
let from: string;
let before: Buffer;
beforeEach(async () => {
  program = executable();
  mkdirSync(join(program.directory, "managers"));
  managers = fakeManagers(join(program.directory, "managers"));
  from = join(program.directory, "release");
  mkdirSync(from);
  before = readFileSync(program.path);
  mkdirSync(program.root, { mode: 0o700 });
  configure('[proxy]\nlisten = "127.0.0.1:0"\n');
  if (process.platform !== "linux") return;
  expect((await program.run(["service", "install"], env())).code).toBe(0);
  managers.calls();
});
afterEach(() => program[Symbol.dispose]());

const env = () => ({ PATH: `${managers.path}:${process.env.PATH}`, USER: "alice" });
const configure = (text: string) => writeFileSync(join(program.root, "config.toml"), text);
const upgrade = () => program.run(["upgrade", "--from", from], env());
/** Starts an upgrade that the test interrupts. */
const start = () =>
  Bun.spawn([program.path, "upgrade", "--from", from], {
    cwd: program.directory,
    env: program.env(env()),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    // A process group of its own, as from a shell.
    detached: true,
  });

function expectUnchanged(): void {
  expect(readFileSync(program.path).equals(before)).toBe(true);
  expect(readdirSync(program.directory).filter((name) => name.startsWith("."))).toEqual([]);
}

const onLinux = test.skipIf(process.platform !== "linux");

onLinux("an upgrade restarts the service", async () => {
  addRelease(from, { version: NEWER });
  expect(await upgrade()).toEqual({
    code: 0,
    out: `upgraded ${program.path} from ${version} to ${NEWER}, and restarted the service\n`,
    err: "",
  });
  expect(managers.calls()).toEqual([RESTART]);
  expect(readFileSync(program.path, "utf8")).toBe(versionScript(NEWER));
});

onLinux("an upgrade changes nothing if the service could not start with its config.toml", async () => {
  addRelease(from, { version: NEWER });
  configure("garbage = [");
  const { code, out, err } = await upgrade();
  expect([code, out]).toEqual([1, ""]);
  expect(err).toStartWith(
    `codexlb: the service could not start: reading ${join(program.root, "config.toml")}: not valid TOML: `,
  );
  expect(err).toEndWith("\n  correct the file and try again\n");
  expect(managers.calls()).toEqual([]);
  expectUnchanged();
});

onLinux("a service that starts with neither version is reported with both reasons", async () => {
  addRelease(from, { version: NEWER });
  managers.set("failing", true);
  const problem = `${RESTART}: Job for codexlb-proxy.service failed.`;
  expect(await upgrade()).toEqual({
    code: 1,
    out: "",
    err: `codexlb: the service failed to start with version ${NEWER} (${problem}); version ${version} was restored, but the service failed to start again: ${problem}\n  see why: codexlb service logs\n`,
  });
  expect(managers.calls()).toEqual([RESTART, RESTART]);
  expectUnchanged();
});

onLinux("Ctrl-C, which interrupts systemctl too, restores the previous version", async () => {
  addRelease(from, { version: NEWER });
  using hang = managers.hang();
  const child = start();
  await hang.begun();
  process.kill(-child.pid, "SIGINT");
  const [err, code] = await Promise.all([child.stderr.text(), child.exited]);
  expect(code).toBe(130);
  expect(err).toEndWith(
    `codexlb: interrupted by SIGINT; version ${version} is installed, as before\n  run the command again\n`,
  );
  expect(managers.calls()).toEqual([RESTART, RESTART]);
  expectUnchanged();
});

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  onLinux(`${signal} while the service restarts restores the previous version`, async () => {
    addRelease(from, { version: NEWER });
    using hang = managers.hang();
    const child = start();
    await hang.begun();
    expect(readFileSync(program.path, "utf8")).toBe(versionScript(NEWER));
    child.kill(signal);
    const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    expect([code, out]).toEqual([128 + constants.signals[signal], ""]);
    expect(err).toBe(
      `codexlb: interrupted; version ${version} was restored, and its service is restarting\ncodexlb: interrupted by ${signal}; version ${version} is installed, as before\n  run the command again\n`,
    );
    expect(managers.calls()).toEqual([RESTART, RESTART]);
    expect(managers.is("running")).toBe(true);
    expectUnchanged();
  });

  test(`${signal} while the new executable is tested changes nothing`, async () => {
    const begun = join(program.directory, "begun");
    const held = join(program.directory, "held");
    Bun.spawnSync(["mkfifo", begun, held]);
    const silent = join(program.directory, "silent");
    writeFileSync(silent, `#!/bin/sh\necho >'${begun}'\nread -r _ <'${held}'\n`, { mode: 0o755 });
    addRelease(from, { version: NEWER, program: silent });
    const child = start();
    await Bun.spawn(["cat", begun], { stdout: "pipe" }).stdout.text();
    child.kill(signal);
    const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    expect([code, out, err]).toEqual([
      128 + constants.signals[signal],
      "",
      `codexlb: interrupted by ${signal}; nothing was changed\n  run the command again\n`,
    ]);
    expectUnchanged();
  });
}
