// Runs next to a user systemd, with a separate HOME: installs the service, sends turns, makes the proxy hang, upgrades
// it while a turn is in flight, and removes the service. Prints the results as JSON.
// Arguments: the executable, a release that works, and a release whose proxy does not start.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemDeps } from "../../../src/deps.ts";
import { startMock } from "../../../src/mock/backend.ts";
import { createSocketClient, createSseClient } from "../../../src/mock/client.ts";
import { layoutOf } from "../../../src/state/layout.ts";
import { enrol, until } from "../../support/pool.ts";

const [executable = "", good = "", bad = ""] = process.argv.slice(2);
const home = process.env.HOME ?? "";
const units = join(home, ".config", "systemd", "user");
const unit = join(units, "codexlb-proxy.service");
const layout = layoutOf(join(home, "a \"root\" %h $HOME 'é' \\"));
const { root, config } = layout;
const mock = startMock({ accounts: [{ alias: "alice" }], clock: systemDeps().clock });

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(...argv: string[]): Promise<Ran> {
  const child = Bun.spawn(argv, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, out, err };
}

const codexlb = (...args: string[]) => run(executable, ...args);
const systemctl = (...args: string[]) => run("systemctl", "--user", ...args);

interface Seen {
  readonly running: boolean;
  readonly enabled: boolean;
  readonly pid: number;
  readonly proxy: { readonly version: string; readonly pid: number; readonly url: string } | null;
}

async function status(): Promise<Seen> {
  return JSON.parse((await codexlb("service", "status", "--json")).out);
}

/** The responses to a turn over HTTP and to one over WebSocket. */
async function turns({ proxy }: Seen): Promise<string[]> {
  const url = proxy?.url ?? "";
  const socket = createSocketClient(url, "over-websocket");
  const answers = [await createSseClient(url, "over-http").turn("hi"), await socket.turn("hi")];
  socket.close();
  return answers;
}

/** Sends a turn with a late response. Resolves when the backend has received the turn. */
async function lateTurn({ proxy }: Seen): Promise<{ readonly answer: Promise<string> }> {
  const before = mock.requests.length;
  mock.faults.add({ on: "sse", times: 1, delayMs: LATE_MS });
  const answer = createSseClient(proxy?.url ?? "", "late").turn("hi");
  await until("the backend has the turn", () =>
    mock.requests.slice(before).some(({ point }) => point === "sse"),
  );
  return { answer };
}

/** The delay of the late response: longer than an upgrade takes until it restarts the service. */
const LATE_MS = 5_000;

/** True if the service runs and its process is the proxy that responds. */
async function serves(): Promise<boolean> {
  const { running, pid, proxy } = await status();
  return running && proxy?.pid === pid;
}

async function scenario(): Promise<Record<string, unknown>> {
  await systemctl("is-system-running", "--wait");
  enrol(layout, "alice", mock.authFile("alice"));
  writeFileSync(config, `[proxy]\nlisten = "127.0.0.1:0"\nupstream_base_url = "${mock.baseUrl}"\n`);
  const install = () => codexlb("service", "install", "--root", root);
  const installed = await install();
  const first = await status();
  const commandLine = readFileSync(`/proc/${first.pid}/cmdline`, "utf8").split("\0").slice(0, -1);
  const firstTurns = await turns(first);
  const again = await install();
  const afterAgain = await status();
  const reloaded = await systemctl("reload", "codexlb-proxy.service");
  const restarted = await codexlb("service", "restart");
  const afterRestart = await status();

  // Shorten the watchdog's interval for the test, with a drop-in like in docs/service.md.
  mkdirSync(`${unit}.d`);
  writeFileSync(join(`${unit}.d`, "override.conf"), "[Service]\nWatchdogSec=1\nRestartSec=100ms\n");
  await systemctl("daemon-reload");
  await codexlb("service", "restart");
  const { pid: hung } = await status();
  process.kill(hung, "SIGSTOP");
  await until(
    "systemd has restarted it",
    async () => (await status()).pid !== hung && (await serves()),
    60_000,
  );
  const { out: restarts } = await systemctl(
    "show",
    "codexlb-proxy.service",
    "--property=NRestarts",
    "--value",
  );

  const check = await codexlb("upgrade", "--check", "--from", good);
  const { answer } = await lateTurn(await status());
  const upgraded = await codexlb("upgrade", "--root", root, "--from", good);
  const lateAnswer = await answer;
  const afterUpgrade = await status();
  const lastTurns = await turns(afterUpgrade);
  const brokenUpgrade = await codexlb("upgrade", "--root", root, "--from", bad);
  const afterBroken = await status();

  const uninstalled = await codexlb("service", "uninstall");
  const gone = await codexlb("service", "status");
  return {
    installed,
    first,
    commandLine,
    firstTurns,
    root,
    unit,
    again,
    afterAgain,
    reloaded: reloaded.code,
    restarted,
    afterRestart,
    restartsByWatchdog: Number(restarts),
    check,
    upgraded,
    lateAnswer,
    lastTurns,
    afterUpgrade,
    brokenUpgrade,
    afterBroken,
    uninstalled,
    gone,
  };
}

console.log(JSON.stringify(await scenario()));
await mock.stop();
