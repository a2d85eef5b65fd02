// The proxy step of `codexlb init`: in the background, or as a service.

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type OfferedService, proxyStep } from "../../../src/cli/init/proxy-step.ts";
import { runSteps } from "../../../src/cli/init/run-steps.ts";
import { systemDeps } from "../../../src/deps.ts";
import { type MockBackend, startMock } from "../../../src/mock/backend.ts";
import { layoutOf } from "../../../src/state/layout.ts";
import { fakeManagers } from "../../support/fake-managers.ts";
import { outcome } from "../../support/outcome.ts";
import { enrol, startPool } from "../../support/pool.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";
import { type MachineOptions, machineIn, openOf } from "./scripted-dialog.ts";

let mock: MockBackend;
let temp: TempDirectory;
beforeAll(() => {
  mock = startMock({ accounts: [{ alias: "alice" }], clock: systemDeps().clock });
});
afterAll(() => mock.stop());
beforeEach(() => {
  temp = tempDirectory();
});
afterEach(() => temp[Symbol.dispose]());

const WORKING: OfferedService = {
  name: "systemd (user)",
  file: "/home/me/codexlb-proxy.service",
  problem: async () => undefined,
};
const BROKEN: OfferedService = { ...WORKING, problem: async () => "no systemd" };

/** A machine with an account and no proxy. */
function enrolled(options: MachineOptions = {}) {
  const made = machineIn(temp.path, options);
  enrol(layoutOf(made.root), "alice", mock.authFile("alice"));
  return made;
}

test("it needs the state directory, and an account or a child proxy", async () => {
  const here = machineIn(temp.path);
  const state = () => proxyStep(here.setUp, false, WORKING).detect();
  expect(await state()).toMatchObject({ kind: "unavailable", detail: "needs the state directory" });
  mkdirSync(here.root, { mode: 0o700 });
  expect(await state()).toMatchObject({ kind: "unavailable", detail: "needs an account" });
  writeFileSync(join(here.root, "config.toml"), '[proxy]\nchild_proxy_urls = ["http://127.0.0.1:1"]\n');
  const { setUp } = machineIn(temp.path);
  openOf(await proxyStep(setUp, false, WORKING).detect());
});

test.each([
  ["b", "proxy start"],
  ["s", "service install"],
  ["", "proxy start"],
] as const)("the answer %p runs codexlb %s", async (answer, words) => {
  const here = enrolled({ answers: [answer, "n"] });
  await runSteps([proxyStep(here.setUp, false, WORKING)], here.setUp.dialog, { isAsked: true });
  expect(here.commands).toEqual([`${words} --root ${here.root}`]);
  expect(here.talk.text()).toContain(
    "s  install it as a service (systemd (user)), now and whenever you log in: writes /home/me/codexlb-proxy.service\n",
  );
});

test("a no starts nothing, and says that a run starts one", async () => {
  const here = enrolled({ answers: ["n"] });
  const [end] = await runSteps([proxyStep(here.setUp, false, WORKING)], here.setUp.dialog, { isAsked: true });
  expect([end?.kind, here.commands]).toEqual(["skipped", []]);
  expect(here.talk.text()).toContain('n  not now: "codexlb run" starts one when it needs it');
});

test("--service makes the service the suggested answer", async () => {
  const { setUp } = enrolled();
  const { offer } = openOf(await proxyStep(setUp, true, WORKING).detect());
  expect([offer.enter, offer.preset]).toEqual(["s", "s"]);
});

test("a machine without a service manager offers no service, and --service fails there", async () => {
  const here = enrolled();
  const { offer, details } = openOf(await proxyStep(here.setUp, false, BROKEN).detect());
  expect(offer.choices.map(({ key }) => key)).toEqual(["b"]);
  expect(details).toContain("The proxy cannot be installed as a service here: no systemd");
  expect(await outcome(proxyStep(here.setUp, true, BROKEN).detect())).toThrow(
    "the service cannot be installed: no systemd",
  );
});

test("the address is shown before the question", async () => {
  const here = enrolled();
  writeFileSync(join(here.root, "config.toml"), '[proxy]\nlisten = "127.0.0.1:8899"\n');
  const { details } = openOf(await proxyStep(here.setUp, false, WORKING).detect());
  expect(details).toContain(
    `The proxy will listen on 127.0.0.1:8899; to change that, set proxy.listen in ${join(here.root, "config.toml")}.`,
  );
});

test("a running proxy is shown; --service asks to stop it first", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }] });
  const { setUp } = machineIn(temp.path);
  const onPool = { ...setUp, context: { ...setUp.context, layout: pool.layout } };
  expect(await proxyStep(onPool, false, WORKING).detect()).toEqual({
    kind: "done",
    detail: `running on ${pool.url} (process ${process.pid})`,
  });
  expect(await proxyStep(onPool, true, WORKING).detect()).toMatchObject({
    kind: "unavailable",
    detail: `a proxy that is not a service is running on ${pool.url} (process ${process.pid})`,
  });
});

test("a proxy that does not answer is reported", async () => {
  const here = enrolled();
  const silent = Bun.listen({ unix: layoutOf(here.root).adminSocket, socket: { data: () => {} } });
  expect(await proxyStep(here.setUp, false, WORKING).detect()).toMatchObject({
    kind: "unavailable",
    detail: "a proxy is running and does not answer",
  });
  silent.stop(true);
});

test.if(process.platform === "linux")("an installed service that is not running is started", async () => {
  const managers = fakeManagers(temp.path);
  const here = enrolled({ answers: ["", "n"], env: { PATH: managers.path } });
  const unit = join(here.home, ".config", "systemd", "user", "codexlb-proxy.service");
  mkdirSync(join(unit, ".."), { recursive: true });
  writeFileSync(unit, `[Service]\nExecStart=/usr/bin/codexlb proxy --root ${here.root}\n`);
  await runSteps([proxyStep(here.setUp, false, WORKING)], here.setUp.dialog, { isAsked: true });
  expect(here.talk.text()).toContain(`The service of the proxy is installed (${unit}) and is not running.`);
  expect(here.commands).toEqual([`proxy start --root ${here.root}`]);
});
