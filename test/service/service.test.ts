// Tests `codexlb service` in a home with a space in its path, with stand-ins for service managers that record their
// calls.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installService, restartService, uninstallService } from "../../src/service/operations.ts";
import { programRunner } from "../../src/service/run-program.ts";
import { createSystemd } from "../../src/service/systemd.ts";
import { SYSTEM_ROOT } from "../../src/service/systemd-unit.ts";
import { runCli } from "../support/cli.ts";
import { type FakeManagers, fakeManagers } from "../support/fake-managers.ts";
import { startPool } from "../support/pool.ts";
import { type TempDirectory, tempDirectory } from "../support/temp.ts";

let temp: TempDirectory;
let managers: FakeManagers;
let home: string;
let binary: string;
beforeEach(() => {
  temp = tempDirectory();
  managers = fakeManagers(temp.path);
  home = join(temp.path, "a home %h");
  mkdirSync(home);
  binary = join(home, "codexlb");
  writeFileSync(binary, "#!/bin/sh\n", { mode: 0o755 });
  writeConfig(join(home, ".codex-lb"), "127.0.0.1:0");
});
afterEach(() => temp[Symbol.dispose]());

/** Writes a config.toml, so that no test depends on the default port of this machine. */
function writeConfig(root: string, listen: string): void {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  writeFileSync(join(root, "config.toml"), `[proxy]\nlisten = "${listen}"\n`);
}
const service = (args: readonly string[], env: Record<string, string> = {}) =>
  runCli(["service", ...args], {
    cwd: temp.path,
    env: { HOME: home, USER: "alice", PATH: managers.path, ...env },
  });
const unitPath = () => join(home, ".config", "systemd", "user", "codexlb-proxy.service");
const plistPath = () => join(home, "Library", "LaunchAgents", "com.codexlb.proxy.plist");
const uid = process.getuid?.();

const GO_UNIT = "[Service]\nType=simple\nExecStart=/opt/codexlb proxy --root /srv/pool\n";
const INSTALL_CALLS = [
  "systemctl --user daemon-reload",
  "systemctl --user enable codexlb-proxy.service",
  "systemctl --user restart codexlb-proxy.service",
];

describe("with systemd", () => {
  const systemd = (word: string, ...args: string[]) => service([word, "--target", "systemd", ...args]);
  const install = (...args: string[]) => systemd("install", "--binary", binary, ...args);

  test("install, status, logs, restart and uninstall run the right commands and report the result", async () => {
    expect(await install()).toEqual({
      code: 0,
      out: `installed ${unitPath()}, and started the service\n`,
      err: "codexlb: to keep it running while you are logged out: loginctl enable-linger alice\n",
    });
    expect(managers.calls()).toEqual(INSTALL_CALLS);
    expect(readFileSync(unitPath(), "utf8")).toContain(
      `ExecStart="${binary.replace("%", "%%")}" "proxy" "--root" "${home.replace("%", "%%")}/.codex-lb"\n`,
    );
    expect(await systemd("status")).toEqual({
      code: 0,
      out: [
        "manager:    systemd (user)",
        `file:       ${unitPath()}`,
        "enabled:    yes",
        "running:    yes, process 4711; active (running)",
        `binary:     ${binary}`,
        `root:       ${join(home, ".codex-lb")}`,
        "proxy:      not responding\n",
      ].join("\n"),
      err: "",
    });
    expect(await systemd("logs", "--lines", "7")).toEqual({
      code: 0,
      out: "the last line of the journal\n",
      err: "",
    });
    expect(managers.calls()).toEqual(["journalctl --user-unit=codexlb-proxy.service --no-pager --lines=7"]);
    expect((await systemd("restart")).out).toBe("restarted the service\n");
    expect(managers.calls()).toEqual(["systemctl --user restart codexlb-proxy.service"]);
    expect((await systemd("uninstall")).out).toBe(`uninstalled ${unitPath()}\n`);
    expect(managers.calls()).toEqual([
      "systemctl --user disable --now codexlb-proxy.service",
      "systemctl --user daemon-reload",
      "systemctl --user reset-failed codexlb-proxy.service",
    ]);
    expect(existsSync(unitPath())).toBe(false);
  });

  test("installing and uninstalling twice changes nothing the second time", async () => {
    await install();
    managers.calls();
    const again = await install();
    expect(again.out).toBe(`${unitPath()} is up to date, and the service is running\n`);
    expect(managers.calls()).toEqual([]);
    await systemd("uninstall");
    managers.calls();
    expect(await systemd("uninstall")).toEqual({ code: 0, out: "the service is not installed\n", err: "" });
    expect(managers.calls()).toEqual([]);
  });

  test("install starts a service that is not running, and replaces its command line", async () => {
    await install();
    managers.calls();
    managers.set("running", false);
    expect((await install()).out).toBe(`${unitPath()} is unchanged; restarted the service\n`);
    expect(managers.calls()).toEqual(INSTALL_CALLS);
    expect((await install("--listen", "127.0.0.1:9000")).out).toBe(
      `updated ${unitPath()}, and restarted the service\n`,
    );
    expect(managers.calls()).toEqual(INSTALL_CALLS);
    expect(readFileSync(unitPath(), "utf8")).toContain(' "--listen" "127.0.0.1:9000"\n');
  });

  test("status marks the Go program's unit, and install replaces it", async () => {
    mkdirSync(join(unitPath(), ".."), { recursive: true });
    writeFileSync(unitPath(), GO_UNIT);
    const before = await systemd("status");
    expect(before.code).toBe(1);
    expect(before.out).toContain(`file:       ${unitPath()} (not written by codexlb service install)\n`);
    expect(before.out).toContain("binary:     /opt/codexlb\nroot:       /srv/pool\n");
    expect((await install()).out).toBe(
      `replaced ${unitPath()}, and restarted the service; the previous file is ${unitPath()}.previous\n`,
    );
    expect(readFileSync(`${unitPath()}.previous`, "utf8")).toBe(GO_UNIT);
    expect((await systemd("status")).out).toContain(`file:       ${unitPath()}\n`);
  });

  test("uninstall keeps a copy of a unit that the user wrote", async () => {
    mkdirSync(join(unitPath(), ".."), { recursive: true });
    writeFileSync(unitPath(), GO_UNIT);
    expect((await systemd("uninstall")).out).toBe(
      `uninstalled ${unitPath()}; a copy of the file is ${unitPath()}.previous\n`,
    );
    expect(existsSync(unitPath())).toBe(false);
    expect(readFileSync(`${unitPath()}.previous`, "utf8")).toBe(GO_UNIT);
  });

  test("install and status report another unit for the same proxy", async () => {
    const other = join(unitPath(), "..", "codexlb.service");
    mkdirSync(join(other, ".."), { recursive: true });
    writeFileSync(other, "[Service]\n");
    expect((await install()).err).toContain(
      `${other} starts a second proxy on the same root; stop it with: systemctl --user disable --now codexlb.service\n`,
    );
    expect((await systemd("status")).out).toContain(`conflict:   ${other} starts a second proxy\n`);
  });

  test("status shows a service that is not installed or not running, and exits with 1", async () => {
    expect(await systemd("status")).toMatchObject({
      code: 1,
      err: `codexlb: the service is not installed: there is no ${unitPath()}\n  install it with: codexlb service install\n`,
    });
    await install();
    managers.set("running", false);
    const stopped = await systemd("status", "--json");
    expect(stopped.code).toBe(1);
    expect(JSON.parse(stopped.out)).toEqual({
      manager: "systemd (user)",
      file: unitPath(),
      installed: true,
      ours: true,
      enabled: true,
      running: false,
      pid: null,
      detail: "inactive (dead)",
      binary,
      root: join(home, ".codex-lb"),
      proxy: null,
      others: [],
    });
    for (const word of ["logs", "restart"]) {
      managers.set("running", true);
      expect([word, (await systemd(word)).code]).toEqual([word, 0]);
    }
  });

  test("logs that cannot be printed point to the event log of the service's root", async () => {
    await install();
    writeFileSync(join(managers.path, "journalctl"), "#!/bin/sh\nexit 3\n");
    expect((await systemd("logs")).err).toEndWith(
      `\n  see the proxy's own event log: codexlb proxy logs --root '${join(home, ".codex-lb")}'\n`,
    );
  });

  test("install reports a service that does not start, and points to its logs", async () => {
    managers.set("failing", true);
    expect(await install()).toEqual({
      code: 1,
      out: "",
      err: "codexlb: systemctl --user restart codexlb-proxy.service: Job for codexlb-proxy.service failed.\n  see why: codexlb service status, codexlb service logs\n",
    });
  });

  test("install does not replace a proxy that is not the service", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const { root } = pool.layout;
    writeConfig(root, "127.0.0.1:0");
    const refused = await install("--root", root);
    expect(refused.code).toBe(1);
    expect(refused.err).toContain(
      `installing the service: another proxy (process ${process.pid}) already runs on ${root}\n  stop it first: kill ${process.pid}\n`,
    );
    expect(existsSync(unitPath())).toBe(false);
    // If the proxy is the service, install restarts it only after its executable was replaced.
    managers.set("running", true);
    managers.set("enabled", true);
    await install("--root", root);
    const old = new Date(0);
    utimesSync(binary, old, old);
    expect((await install("--root", root)).out).toBe(`${unitPath()} is unchanged; restarted the service\n`);
    expect((await systemd("status")).out).toContain(
      `proxy:      version dev on ${pool.url}; process ${process.pid}, which is not the service\n`,
    );
  });

  test("--dry-run prints the file and the commands, and runs and changes nothing", async () => {
    managers.set("broken", true);
    const { code, out } = await install("--dry-run");
    expect(code).toBe(0);
    expect(out).toStartWith(`# ${unitPath()}\n# Written by codexlb service install`);
    expect(out).toEndWith(`\n# commands\n${INSTALL_CALLS.join("\n")}\n`);
    expect((await systemd("uninstall", "--dry-run")).out).toBe(
      [
        "# commands",
        "systemctl --user disable --now codexlb-proxy.service  # may fail",
        `rm '${unitPath()}'`,
        "systemctl --user daemon-reload",
        "systemctl --user reset-failed codexlb-proxy.service  # may fail\n",
      ].join("\n"),
    );
    expect(existsSync(unitPath())).toBe(false);
    expect(managers.calls()).toEqual([]);
  });

  test("a system-wide service has a user and a state directory", async () => {
    const { out } = await install("--system", "--dry-run");
    expect(out).toStartWith("# /etc/systemd/system/codexlb-proxy.service\n");
    expect(out).toContain("\nUser=codexlb\nStateDirectory=codexlb\n");
    expect(out).toContain(' "proxy" "--root" "/var/lib/codexlb"\n');
    expect(out).toEndWith("\nsystemctl restart codexlb-proxy.service\n");
    expect(await install("--system", "--user", "mallory\nExecStart=/bin/sh", "--dry-run")).toMatchObject({
      code: 2,
      err: 'codexlb: flag --user: there is no user "mallory\\nExecStart=/bin/sh"\n  name an existing user\n',
    });
  });
});

test("the system's systemd installs, restarts and removes a system-wide service", async () => {
  const run = programRunner({ PATH: managers.path });
  const directory = join(temp.path, "system");
  const manager = createSystemd({ directory, isSystem: true, env: {}, run });
  const tools = { run, sleep: () => Promise.resolve() };
  const options = { binary, root: SYSTEM_ROOT, listen: "127.0.0.1:0", upstream: undefined, user: "codexlb" };
  expect((await installService(manager, options, tools)).change).toBe("installed");
  await restartService(manager, tools);
  expect(await manager.hints()).toEqual([]);
  expect(await uninstallService(manager, tools)).toEqual({ previous: undefined });
  expect(managers.calls()).toEqual([
    "systemctl daemon-reload",
    "systemctl enable codexlb-proxy.service",
    "systemctl restart codexlb-proxy.service",
    "systemctl restart codexlb-proxy.service",
    "systemctl disable --now codexlb-proxy.service",
    "systemctl daemon-reload",
    "systemctl reset-failed codexlb-proxy.service",
  ]);
  expect(manager.logCommand({ lines: 5, follow: true, root: SYSTEM_ROOT })).toEqual([
    "journalctl",
    "--unit=codexlb-proxy.service",
    "--no-pager",
    "--lines=5",
    "--follow",
  ]);
});

describe("with launchd", () => {
  const launchd = (word: string, ...args: string[]) => service([word, "--target", "launchd", ...args]);
  const install = (...args: string[]) => launchd("install", "--binary", binary, ...args);
  const agent = `gui/${uid}/com.codexlb.proxy`;

  test("install, status, logs, restart and uninstall run the right commands and report the result", async () => {
    expect(await install()).toEqual({
      code: 0,
      out: `installed ${plistPath()}, and started the service\n`,
      err: "",
    });
    expect(managers.calls()).toEqual([
      `launchctl bootout ${agent}`,
      `launchctl enable ${agent}`,
      `launchctl bootstrap gui/${uid} ${plistPath()}`,
    ]);
    const { out } = await launchd("status");
    expect(out).toContain("manager:    launchd\n");
    expect(out).toContain("enabled:    yes\nrunning:    yes, process 4711; running\n");
    expect(out).toContain(`binary:     ${binary}\n`);
    const logs = join(home, ".codex-lb", "logs");
    writeFileSync(join(logs, "launchd.stderr.log"), "one\ntwo\u001b[2J\n");
    // Use this machine's tail.
    const tail = await service(["logs", "--target", "launchd", "--lines", "1"], {
      PATH: `${managers.path}:/usr/bin:/bin`,
    });
    expect(tail).toEqual({ code: 0, out: "two [2J\n", err: "" });
    expect((await launchd("restart")).out).toBe("restarted the service\n");
    expect(managers.calls()).toEqual([`launchctl kill SIGTERM ${agent}`]);
    expect((await launchd("uninstall")).out).toBe(`uninstalled ${plistPath()}\n`);
    expect(managers.calls()).toEqual([`launchctl bootout ${agent}`]);
    expect(existsSync(plistPath())).toBe(false);
  });

  test("install waits for a slow agent to exit before it loads the agent again", async () => {
    await install();
    const second = await install("--listen", "127.0.0.1:9000");
    expect(second.out).toBe(`updated ${plistPath()}, and restarted the service\n`);
    expect(managers.is("running")).toBe(true);
  });

  test("install refuses a system-wide agent", async () => {
    expect(await install("--system")).toMatchObject({
      code: 2,
      err: "codexlb: --system is for systemd only\n  leave it out: launchd runs the proxy for your own user\n",
    });
  });
});

describe("without a service manager", () => {
  const NEXT =
    "start codexlb proxy from your init system: https://github.com/gngeorgiev/codexlb/blob/main/docs/service.md";
  const all = ["install", "uninstall", "restart", "status"] as const;

  test.each(all)("%s reports that, and what to do", async (word) => {
    const args = word === "install" ? ["--binary", binary] : [];
    managers.set("broken", true);
    const env = { XDG_RUNTIME_DIR: temp.path };
    expect(await service([word, "--target", "systemd", ...args], env)).toEqual({
      code: 1,
      out: "",
      err: `codexlb: connecting to the user's systemd: Failed to connect to bus: No medium found\n  on a system without systemd, ${NEXT}\n`,
    });
    expect(await service([word, "--target", "launchd", ...args], env)).toEqual({
      code: 1,
      out: "",
      err: "codexlb: connecting to launchd: Could not find domain for user gui: 501\n  log in on this Mac's own screen: launchd has no session for agents over ssh alone\n",
    });
    const bare = { ...env, PATH: home };
    expect((await service([word, "--target", "systemd", ...args], bare)).err).toStartWith(
      `codexlb: connecting to the user's systemd: systemctl is not installed\n  on a system without systemd, ${NEXT}`,
    );
    expect((await service([word, "--target", "launchd", ...args], bare)).err).toStartWith(
      `codexlb: connecting to launchd: launchctl is not installed\n  on a system without launchd, ${NEXT}`,
    );
    expect(managers.calls()).toEqual([]);
    expect(existsSync(unitPath())).toBe(false);
  });

  test("status names a service file that exists", async () => {
    await service(["install", "--target", "systemd", "--binary", binary]);
    managers.set("broken", true);
    const { err } = await service(["status", "--target", "systemd"], { XDG_RUNTIME_DIR: temp.path });
    expect(err).toContain(`No medium found; ${unitPath()} exists, for ${join(home, ".codex-lb")}\n`);
  });

  test("a missing systemctl is not explained with a wrong login", async () => {
    const { err } = await service(["status", "--target", "systemd"], { PATH: home });
    expect(err).toBe(
      `codexlb: connecting to the user's systemd: systemctl is not installed\n  on a system without systemd, ${NEXT}\n`,
    );
  });

  test("status on Windows Subsystem for Linux explains how to enable systemd", async () => {
    managers.set("broken", true);
    const { err } = await service(["status", "--target", "systemd"], { WSL_DISTRO_NAME: "Debian" });
    expect(err).toEndWith(
      "  enable systemd: write systemd=true below [boot] in /etc/wsl.conf, then run wsl.exe --shutdown\n",
    );
  });
});

describe("wrong use", () => {
  test.each([
    [["install", "--target", "openrc", "--binary", "/bin/sh"], 'flag --target: "openrc" is not a target'],
    [["install", "--target", "systemd"], "this codexlb runs from its sources"],
    [["install", "--binary", "/bin/sh", "--user", "codexlb"], "--user is for --system only"],
    [["install", "--binary", "/bin/sh", "--listen", "nonsense"], "flag --listen: "],
    [["install", "--binary", "/bin/sh", "--root", "a\nb"], '"'],
    [["logs", "--lines", "many"], "flag --lines: "],
  ])("%j is refused", async (args, message) => {
    const { code, err } = await service(args);
    expect([code, err]).toEqual([2, expect.stringMatching(/^codexlb: /)]);
    expect(err).toContain(message);
  });

  test.each(["/no/such/file", "/etc", "/etc/passwd"])("install refuses the executable %s", async (path) => {
    const { code, err } = await service(["install", "--target", "systemd", "--binary", path]);
    expect([code, err]).toEqual([1, expect.stringContaining(`checking the service's executable ${path}: `)]);
  });

  test("install refuses to install a service of root with sudo", async () => {
    if (uid !== 0) return console.log("skipped: installing with sudo (this is not root)");
    const { code, err } = await service(["install", "--target", "systemd", "--binary", binary], {
      SUDO_USER: "alice",
    });
    expect([code, err]).toEqual([
      2,
      expect.stringContaining("with sudo this command would change root's own service\n"),
    ]);
  });
});
