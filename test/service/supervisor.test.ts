// Tests when the proxy pings the watchdog of its service manager, with a simulated clock.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { createSupervisor } from "../../src/daemon/supervisor.ts";
import { fakeClock } from "../support/clock.ts";
import { type NotifySocket, notifySocket } from "../support/notify-socket.ts";
import { type TempDirectory, tempDirectory } from "../support/temp.ts";

const isLinux = process.platform === "linux";
if (!isLinux) console.log("skipped: the watchdog of systemd (systemd requires Linux)");

describe.skipIf(!isLinux)("watchdog pings", () => {
  let temp: TempDirectory;
  let manager: NotifySocket;
  beforeAll(() => {
    temp = tempDirectory();
    manager = notifySocket(join(temp.path, "notify"));
  });
  afterAll(() => {
    manager[Symbol.dispose]();
    temp[Symbol.dispose]();
  });

  function supervised(env: Record<string, string>, address = manager.address) {
    const clock = fakeClock();
    const warnings: string[] = [];
    const log = { info: () => {}, warn: (message: string) => void warnings.push(message) };
    const supervisor = createSupervisor({ env: { NOTIFY_SOCKET: address, ...env }, log, clock });
    return { supervisor, clock, warnings };
  }
  const pings = () => manager.read().filter((message) => message === "WATCHDOG=1").length;

  test("start with the first READY=1 and come at half of WATCHDOG_USEC", () => {
    const { supervisor, clock } = supervised({ WATCHDOG_USEC: "60000000" });
    clock.advance(120_000);
    expect(pings()).toBe(0);
    supervisor.ready("serves");
    expect(pings()).toBe(1);
    clock.advance(29_999);
    expect(pings()).toBe(0);
    clock.advance(1);
    expect(pings()).toBe(1);
    supervisor.ready("serves with other settings");
    clock.advance(60_000);
    expect(pings()).toBe(2);
  });

  test("are sent if WATCHDOG_PID names this process", () => {
    const { supervisor } = supervised({ WATCHDOG_USEC: "60000000", WATCHDOG_PID: String(process.pid) });
    supervisor.ready("serves");
    expect(pings()).toBe(1);
  });

  test.each([
    ["WATCHDOG_USEC is missing", {}],
    ["WATCHDOG_USEC is zero", { WATCHDOG_USEC: "0" }],
    ["WATCHDOG_USEC is not a number", { WATCHDOG_USEC: "soon" }],
    ["they are expected from another process", { WATCHDOG_USEC: "60000000", WATCHDOG_PID: "1" }],
  ])("are not sent if %s", (_, env) => {
    const { supervisor, clock } = supervised(env as Record<string, string>);
    supervisor.ready("serves");
    clock.advance(600_000);
    expect(pings()).toBe(0);
  });

  test("cause only one warning if several fail", () => {
    const gone = join(temp.path, "gone");
    const { supervisor, clock, warnings } = supervised({ WATCHDOG_USEC: "60000000" }, gone);
    supervisor.ready("serves");
    clock.advance(600_000);
    expect(warnings).toEqual([
      `notifying the service manager at ${gone}: the socket does not accept the notification`,
    ]);
  });
});
