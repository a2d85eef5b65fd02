// The proxy in a terminal: its first lines, its end with the terminal, and the proxy that `codexlb run` starts on a
// terminal.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { remoteInfo } from "../../src/admin/client.ts";
import { socketDoor } from "../../src/admin/door.ts";
import { systemDeps } from "../../src/deps.ts";
import { type MockBackend, startMock } from "../../src/mock/backend.ts";
import { type Layout, layoutOf } from "../../src/state/layout.ts";
import { daemonAnswers } from "../support/daemon-answers.ts";
import { type Executable, executable } from "../support/executable.ts";
import { enrol, until } from "../support/pool.ts";
import { noPanes, openPane, type Pane } from "../support/tmux.ts";

const why = noPanes();
if (why !== undefined) console.log(`skipped: the proxy in a terminal (${why})`);

let tool: Executable;
let mock: MockBackend;
let layout: Layout;

beforeAll(() => {
  tool = executable();
  mock = startMock({ accounts: [{ alias: "alice" }], clock: systemDeps().clock });
  layout = layoutOf(tool.root);
  enrol(layout, "alice", mock.authFile("alice"));
  writeFileSync(
    layout.config,
    `[proxy]\nlisten = "127.0.0.1:0"\nupstream_base_url = "${mock.baseUrl}"\n[run]\ninherit_shell = false\n`,
  );
});
afterAll(async () => {
  await mock.stop();
  tool[Symbol.dispose]();
});

const open = (more: Record<string, string> = {}): Promise<Pane> =>
  openPane({
    columns: 120,
    rows: 30,
    cwd: tool.directory,
    env: { ...tool.env(), CODEXLB_TOKEN_URL: mock.tokenUrl, ...more },
  });
const isGone = (pid: number) => !existsSync(`/proc/${pid}`);

describe.skipIf(why !== undefined)("the proxy in a terminal", () => {
  test("prints its address, its accounts and the next command, and ends on Ctrl-C", async () => {
    using pane = await open();
    // The terminal would show ^C before the code.
    const code = pane.start("(./codexlb proxy; code=$?; echo; exit $code)");
    await pane.shows(/^codexlb proxy proxy-\w+ listening on http:\/\/127\.0\.0\.1:\d+/);
    await pane.shows("1 account; run Codex with: codexlb run");
    pane.press("C-c");
    expect(await code()).toBe(0);
  });

  test("in the background reports its new name on a line of its own", async () => {
    const unnamed = layoutOf(join(tool.directory, "unnamed"));
    enrol(unnamed, "alice", mock.authFile("alice"));
    writeFileSync(unnamed.config, '[proxy]\nlisten = "127.0.0.1:0"\n');
    using pane = await open({ CODEXLB_ROOT: unnamed.root });
    expect(await pane.run("clear; ./codexlb proxy start")).toBe(0);
    const lines = pane.screen();
    expect(lines.find((line) => line.includes("wrote proxy.name"))).toMatch(/^codexlb: wrote proxy\.name = /);
    expect(lines.join("\n")).not.toContain("starting the proxy ...");
    expect(await pane.run("./codexlb proxy stop")).toBe(0);
  });

  test("ends if the terminal is closed", async () => {
    const pane = await open();
    pane.line("./codexlb proxy");
    await pane.shows("run Codex with: codexlb run");
    const { pid } = await remoteInfo(socketDoor(layout.adminSocket));
    pane[Symbol.dispose]();
    await until("it has ended", () => isGone(pid), 20_000);
    expect(readFileSync(layout.events, "utf8")).toContain('"signal":"SIGHUP"');
  });

  test("starts and ends with run, which has the terminal to itself", async () => {
    const codex = join(tool.directory, "codex-asks");
    writeFileSync(codex, "#!/bin/sh\necho 'codex is here'\nread -r line\nexit 7\n");
    chmodSync(codex, 0o755);
    using pane = await open({ CODEXLB_CODEX_BIN: codex });
    const code = pane.start("./codexlb run --oss");
    await pane.shows("no proxy is running; starting one for this run");
    await pane.shows("codex is here");
    const { pid } = await remoteInfo(socketDoor(layout.adminSocket));
    pane.press("Enter");
    expect(await code()).toBe(7);
    await until("it has ended", () => isGone(pid), 20_000);
    expect(await daemonAnswers(layout.adminSocket)).toBe(false);
  });

  test("and its run end if the terminal is closed", async () => {
    const codex = join(tool.directory, "codex-waits");
    writeFileSync(codex, "#!/bin/sh\necho 'codex is here'\nexec sleep 600\n");
    chmodSync(codex, 0o755);
    const pane = await open({ CODEXLB_CODEX_BIN: codex });
    pane.line("./codexlb run");
    await pane.shows("codex is here");
    const { pid } = await remoteInfo(socketDoor(layout.adminSocket));
    pane[Symbol.dispose]();
    await until("it has ended", () => isGone(pid), 20_000);
  });
});
