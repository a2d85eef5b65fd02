// Tests how a running proxy handles signals, and how it notifies the service manager.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemDeps } from "../../../src/deps.ts";
import { type MockBackend, startMock } from "../../../src/mock/backend.ts";
import { createSseClient } from "../../../src/mock/client.ts";
import { type Layout, layoutOf } from "../../../src/state/layout.ts";
import { runCli } from "../../support/cli.ts";
import { notifySocket } from "../../support/notify-socket.ts";
import { outcome } from "../../support/outcome.ts";
import { enrol, until } from "../../support/pool.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";

const MAIN = join(import.meta.dir, "..", "..", "..", "src", "main.ts");

let temp: TempDirectory;
let mock: MockBackend;
let serial = 0;
beforeAll(() => {
  temp = tempDirectory();
  mock = startMock({ accounts: [{ alias: "alice" }], clock: systemDeps().clock });
});
afterAll(async () => {
  await mock.stop();
  temp[Symbol.dispose]();
});

function freshRoot(settings = ""): Layout {
  const layout = layoutOf(join(temp.path, `root-${++serial}`));
  enrol(layout, "alice", mock.authFile("alice"));
  writeFileSync(
    layout.config,
    `[proxy]\nlisten = "127.0.0.1:0"\nupstream_base_url = "${mock.baseUrl}"\n${settings}`,
  );
  return layout;
}

const command = ({ root }: Layout) => [process.execPath, MAIN, "proxy", "--root", root];
const environment = (more: Record<string, string> = {}) => ({
  PATH: process.env.PATH ?? "",
  HOME: temp.path,
  CODEXLB_TOKEN_URL: mock.tokenUrl,
  ...more,
});

async function startProxy(layout: Layout, more?: Record<string, string>) {
  const child = Bun.spawn(command(layout), {
    env: environment(more),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let err = "";
  const reading = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) err += text;
  })();
  const { value = "" } = await child.stdout.pipeThrough(new TextDecoderStream()).getReader().read();
  return {
    url: /on (http:\S+)/.exec(value)?.[1] ?? "",
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    ended: async () => {
      const code = await child.exited;
      await reading;
      return { code, err };
    },
    shows: (words: string) => until(`it shows ${words}`, () => err.includes(words)),
  };
}

/** Sends a turn whose response is delayed by `delayMs`. Resolves when the backend has received the turn. */
async function lateTurn(url: string, delayMs: number): Promise<{ readonly answer: Promise<string> }> {
  const before = mock.requests.length;
  mock.faults.add({ on: "sse", times: 1, delayMs });
  const answer = createSseClient(url, "s1").turn("hi");
  answer.catch(() => {});
  await until("the backend has the turn", () =>
    mock.requests.slice(before).some(({ point }) => point === "sse"),
  );
  return { answer };
}

test("SIGTERM lets turns in flight finish", async () => {
  const proxy = await startProxy(freshRoot());
  const { answer } = await lateTurn(proxy.url, 500);
  proxy.kill("SIGTERM");
  await proxy.shows("finishing 1 request, for at most 30 s; a second signal stops the proxy immediately");
  expect(await answer).toBe("Hello from alice");
  expect((await proxy.ended()).code).toBe(0);
});

test.each([
  ["SIGTERM", 143],
  ["SIGINT", 130],
] as const)("a second signal, %s, stops the proxy immediately", async (signal, code) => {
  const proxy = await startProxy(freshRoot());
  const { answer } = await lateTurn(proxy.url, 60_000);
  proxy.kill("SIGTERM");
  await proxy.shows("finishing 1 request");
  proxy.kill(signal);
  expect((await proxy.ended()).code).toBe(code);
  expect(await outcome(answer)).toThrow();
});

test("drain_timeout_seconds bounds the wait", async () => {
  const proxy = await startProxy(freshRoot("drain_timeout_seconds = 1\n"));
  const { answer } = await lateTurn(proxy.url, 60_000);
  proxy.kill("SIGTERM");
  await proxy.shows("for at most 1 s");
  expect((await proxy.ended()).code).toBe(0);
  expect(await outcome(answer)).toThrow();
});

test("commands report a proxy that is shutting down or suspended", async () => {
  const layout = freshRoot();
  const proxy = await startProxy(layout);
  const run = (...args: string[]) =>
    runCli([...args, "--root", layout.root], { cwd: temp.path, env: { CODEXLB_TOKEN_URL: mock.tokenUrl } });
  proxy.kill("SIGSTOP");
  for (const words of [["status"], ["run", "--auto-start", "--codex-bin", "/bin/true"]]) {
    const stopped = await run(...words);
    expect(stopped).toMatchObject({ code: 1, out: "" });
    expect(stopped.err).toStartWith(`codexlb: the proxy on ${layout.root} is running but does not answer\n`);
  }
  const second = await run("proxy");
  expect(second).toMatchObject({ code: 1, out: "" });
  expect(second.err).toStartWith(`codexlb: another codexlb proxy runs on ${layout.root}\n`);
  proxy.kill("SIGCONT");
  const { answer } = await lateTurn(proxy.url, 60_000);
  proxy.kill("SIGTERM");
  await proxy.shows("finishing 1 request");
  expect(await run("status")).toMatchObject({
    code: 1,
    err: `codexlb: the proxy on ${layout.root} is shutting down\n  start a new one, which waits until the old one exits: codexlb proxy --root ${layout.root}, or codexlb run --root ${layout.root} --auto-start\n`,
  });
  expect((await run("doctor")).out).toContain("port: warning (the proxy is shutting down");
  proxy.kill("SIGTERM");
  await proxy.ended();
  expect(await outcome(answer)).toThrow();
});

/** A proxy that is shutting down, with a turn in flight that takes a minute. */
async function aboutToEnd() {
  const layout = freshRoot();
  const proxy = await startProxy(layout);
  const { answer } = await lateTurn(proxy.url, 60_000);
  proxy.kill("SIGTERM");
  await proxy.shows("finishing 1 request");
  return { layout, proxy, answer };
}

test("a new proxy waits until the old one has shut down", async () => {
  const { layout, proxy: before, answer } = await aboutToEnd();
  const successor = () =>
    Bun.spawn([process.execPath, MAIN, "proxy", "--root", layout.root], {
      env: environment(),
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
  const [given, kept] = [successor(), successor()];
  const waits = async ({ stderr }: typeof kept) => {
    const reader = stderr.pipeThrough(new TextDecoderStream()).getReader();
    let err = "";
    while (!err.includes("starting after it")) err += (await reader.read()).value ?? "";
  };
  await Promise.all([waits(given), waits(kept)]);
  // A proxy that waits exits on SIGTERM.
  given.kill("SIGTERM");
  expect([await given.exited, await given.stdout.text()]).toEqual([0, ""]);
  before.kill("SIGTERM");
  await before.ended();
  expect(await outcome(answer)).toThrow();
  const { value } = await kept.stdout.pipeThrough(new TextDecoderStream()).getReader().read();
  expect(value).toContain("listening on http://127.0.0.1:");
  kept.kill("SIGTERM");
  expect(await kept.exited).toBe(0);
});

test("codexlb run starts a new proxy while the old one shuts down", async () => {
  const { layout, proxy, answer } = await aboutToEnd();
  const codex = join(temp.path, "codex");
  writeFileSync(codex, '#!/bin/sh\necho "$OPENAI_BASE_URL"\n', { mode: 0o755 });
  const run = Bun.spawn(
    [
      process.execPath,
      MAIN,
      "run",
      "--root",
      layout.root,
      "--auto-start",
      "--codex-bin",
      codex,
      "exec",
      "--help",
    ],
    { env: environment({ SHELL: "/bin/sh" }), stdin: "ignore", stdout: "pipe", stderr: "pipe" },
  );
  let err = "";
  const reading = (async () => {
    for await (const text of run.stderr.pipeThrough(new TextDecoderStream())) err += text;
  })();
  await until("codexlb run waits", () => err.includes("the running proxy is shutting down"), 20_000);
  proxy.kill("SIGTERM");
  const [code, out] = await Promise.all([run.exited, run.stdout.text(), proxy.ended(), reading]);
  expect(code).toBe(0);
  expect(out).toMatch(/^http:\/\/127\.0\.0\.1:\d+/);
  expect(out).not.toStartWith(proxy.url);
  expect(err.trim().split("\n").length).toBe(1);
  expect(await outcome(answer)).toThrow();
});

test("SIGHUP reloads the settings", async () => {
  const layout = freshRoot();
  const proxy = await startProxy(layout);
  writeFileSync(layout.config, `[proxy]\nupstream_base_url = "${mock.baseUrl}"\nmax_attempts = 7\n`);
  proxy.kill("SIGHUP");
  await proxy.shows(`SIGHUP: reading ${layout.config}`);
  await proxy.shows("proxy.max_attempts = 7");
  proxy.kill("SIGHUP");
  await proxy.shows(`SIGHUP: ${layout.config} is unchanged`);
  expect(await createSseClient(proxy.url, "s1").turn("hi")).toBe("Hello from alice");
  proxy.kill("SIGINT");
  expect((await proxy.ended()).code).toBe(0);
});

const isLinux = process.platform === "linux";
if (!isLinux) console.log("skipped: messages to the service manager (systemd is on Linux only)");

test.skipIf(!isLinux).each(["path", "name"])(
  "the service manager is notified over a socket with a %s",
  async (kind) => {
    using manager = notifySocket(
      kind === "path" ? join(temp.path, "notify") : `@codexlb-test-${process.pid}`,
    );
    const proxy = await startProxy(freshRoot(), { NOTIFY_SOCKET: manager.address });
    const hears = async (words: RegExp) => {
      let rest: string[] = [];
      await until(`the service manager hears ${words}`, () => {
        rest.push(...manager.read());
        const at = rest.findIndex((message) => words.test(message));
        rest = at < 0 ? rest : rest.slice(at);
        return at >= 0;
      });
      return rest[0] ?? "";
    };
    await hears(/^READY=1\nSTATUS=serves 1 account on http:\/\/127\.0\.0\.1:\d+$/);
    proxy.kill("SIGHUP");
    const micros = BigInt((await hears(/^RELOADING=1\nMONOTONIC_USEC=\d+$/)).split("=").at(-1) ?? "");
    const uptime = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
    // The time is that of the system's clock, not the process's.
    expect(Math.abs(Number(micros) / 1e6 - uptime)).toBeLessThan(60);
    proxy.kill("SIGTERM");
    await hears(/^STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC=15000000$/);
    expect((await proxy.ended()).code).toBe(0);
  },
);

test.skipIf(!isLinux)("the proxy pings the watchdog of its service manager until it exits", async () => {
  using manager = notifySocket(join(temp.path, "watchdog"));
  const proxy = await startProxy(freshRoot(), { NOTIFY_SOCKET: manager.address, WATCHDOG_USEC: "100000" });
  const heard: string[] = [];
  const pings = async (count: number) => {
    heard.length = 0;
    await until(`the service manager gets ${count} pings`, () => {
      heard.push(...manager.read());
      return heard.filter((message) => message === "WATCHDOG=1").length >= count;
    });
  };
  await pings(3);
  const { answer } = await lateTurn(proxy.url, 60_000);
  proxy.kill("SIGTERM");
  await proxy.shows("finishing 1 request");
  manager.read();
  // Pings continue while the proxy waits for its last turns.
  await pings(2);
  proxy.kill("SIGTERM");
  await proxy.ended();
  expect(await outcome(answer)).toThrow();
});

test("a missing service manager causes only a warning", async () => {
  const proxy = await startProxy(freshRoot(), { NOTIFY_SOCKET: join(temp.path, "missing") });
  await proxy.shows("warning: notifying the service manager at");
  expect(await createSseClient(proxy.url, "s1").turn("hi")).toBe("Hello from alice");
  proxy.kill("SIGTERM");
  expect((await proxy.ended()).code).toBe(0);
});
