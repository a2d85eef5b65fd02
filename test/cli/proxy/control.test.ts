// `codexlb proxy start`, `stop`, `restart` and `status`, with and without a service.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { daemonAt } from "../../../src/admin/daemon.ts";
import { systemDeps } from "../../../src/deps.ts";
import { type MockBackend, startMock } from "../../../src/mock/backend.ts";
import { createSseClient } from "../../../src/mock/client.ts";
import { type Layout, layoutOf } from "../../../src/state/layout.ts";
import { runCli } from "../../support/cli.ts";
import { daemonAnswers } from "../../support/daemon-answers.ts";
import { fakeManagers } from "../../support/fake-managers.ts";
import { enrol, limitBody, until } from "../../support/pool.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";

let temp: TempDirectory;
let mock: MockBackend;
let serial = 0;
beforeAll(() => {
  temp = tempDirectory();
  mock = startMock({ accounts: [{ alias: "alice" }, { alias: "bob" }], clock: systemDeps().clock });
});
afterAll(async () => {
  await mock.stop();
  temp[Symbol.dispose]();
});

function freshRoot(): Layout {
  const layout = layoutOf(join(temp.path, `root-${++serial}`));
  enrol(layout, "alice", mock.authFile("alice"));
  writeFileSync(
    layout.config,
    `[proxy]\nname = "edge"\nlisten = "127.0.0.1:0"\nupstream_base_url = "${mock.baseUrl}"\n`,
  );
  return layout;
}

/** Runs `codexlb proxy WORDS --root ROOT`. No service manager is found, unless `env` has one. */
const proxy = ({ root }: Layout, words: readonly string[], env: Record<string, string> = {}) =>
  runCli(["proxy", ...words, "--root", root], {
    cwd: temp.path,
    env: { CODEXLB_TOKEN_URL: mock.tokenUrl, ...env },
  });

async function pidOn({ adminSocket }: Layout): Promise<number | undefined> {
  const daemon = await daemonAt(adminSocket);
  return daemon.kind === "answers" ? daemon.info().pid : undefined;
}

/** Kills the proxy of the root, which cannot shut down then. */
async function killed(layout: Layout): Promise<void> {
  process.kill((await pidOn(layout)) ?? 0, "SIGKILL");
  await until("the proxy is gone", async () => !(await daemonAnswers(layout.adminSocket)), 60_000);
}

describe("the proxy in the background", () => {
  test("starts once, restarts with its flags, and stops", async () => {
    const layout = freshRoot();
    const started = await proxy(layout, ["start", "--max-attempts", "7"]);
    expect(started.out).toMatch(/^started the proxy edge on http:\/\/127\.0\.0\.1:\d+ \(process \d+\)\n$/);
    expect(started.err).toContain(`stop it with: codexlb proxy stop --root ${layout.root}\n`);
    const first = await pidOn(layout);
    expect((await proxy(layout, ["start"])).out).toMatch(/^the proxy edge on .* is already running\n$/);
    expect(await pidOn(layout)).toBe(first);
    expect((await proxy(layout, ["status"])).out).toMatch(
      /^the proxy edge on .* has been running since .*Z, version/,
    );
    expect(JSON.parse((await proxy(layout, ["status", "--json"])).out)).toMatchObject({
      running: true,
      name: "edge",
      pid: first,
    });
    const restarted = await proxy(layout, ["restart"]);
    expect(restarted).toMatchObject({ code: 0 });
    const second = await pidOn(layout);
    expect(second).not.toBe(first);
    const settings = await runCli(["config", "show", "--root", layout.root], { cwd: temp.path });
    expect(settings.out).toMatch(/proxy\.max_attempts +7 +--max-attempts/);
    expect((await proxy(layout, ["stop"])).out).toMatch(/^stopped the proxy edge on .* \(process \d+\)\n$/);
    expect(await daemonAnswers(layout.adminSocket)).toBe(false);
    const none = `no proxy is running on ${layout.root}`;
    expect(await proxy(layout, ["stop"])).toEqual({ code: 0, out: `${none}\n`, err: "" });
    expect(await proxy(layout, ["status"])).toEqual({
      code: 1,
      out: "",
      err: `codexlb: ${none}\n  start one with: codexlb proxy start --root ${layout.root}\n`,
    });
    expect((await proxy(layout, ["restart"])).out).toStartWith("started the proxy edge on ");
    await proxy(layout, ["stop"]);
  });

  test("restarts with the flags of a proxy that was killed", async () => {
    const layout = freshRoot();
    const started = await proxy(layout, ["start", "--listen", "127.0.0.1:0", "--max-attempts", "7"]);
    const address = /on http:\/\/(\S+)/.exec(started.out)?.[1] ?? "";
    await proxy(layout, ["restart", "--listen", address]);
    await killed(layout);
    const restarted = await proxy(layout, ["restart"]);
    expect(restarted.out).toStartWith(`started the proxy edge on http://${address} `);
    expect(restarted.err).toContain(
      `codexlb: the last proxy on ${layout.root} ended without shutting down; starting with its flags: --listen ${address} --max-attempts 7\n`,
    );
    await killed(layout);
    expect((await proxy(layout, ["restart", "--max-attempts", "5"])).out).toContain(address);
    const settings = await runCli(["config", "show", "--root", layout.root], { cwd: temp.path });
    expect(settings.out).toMatch(/proxy\.max_attempts +5 +--max-attempts/);
    await proxy(layout, ["stop"]);
    expect(existsSync(layout.startFlags)).toBe(false);
    const plain = await proxy(layout, ["restart"]);
    expect(plain.err).not.toContain("its flags");
    expect(plain.out).not.toContain(address);
    await killed(layout);
    expect((await proxy(layout, ["restart"])).err).not.toContain("its flags");
    await proxy(layout, ["stop"]);
  });

  test("reports the name that a starting proxy writes into config.toml, once", async () => {
    const layout = freshRoot();
    writeFileSync(layout.config, readFileSync(layout.config, "utf8").replace('name = "edge"\n', ""));
    const started = await proxy(layout, ["start"]);
    expect(started.err).toMatch(
      /^codexlb: wrote proxy\.name = "proxy-[0-9a-f]{8}" into .*config\.toml, because/,
    );
    await proxy(layout, ["stop"]);
    expect((await proxy(layout, ["start"])).err).not.toContain("proxy.name");
    await proxy(layout, ["stop"]);
  });

  test("warns at a start and a restart of what has no effect in config.toml", async () => {
    const layout = freshRoot();
    writeFileSync(
      layout.config,
      `${readFileSync(layout.config, "utf8")}upstream = "x"\n[accounts.zoe]\npriority = 1\n`,
    );
    const warnings = [
      `codexlb: warning: ${layout.config}: line 5: proxy.upstream is not a setting and has no effect; did you mean proxy.upstream_base_url?\n`,
      `codexlb: warning: ${layout.config}: [accounts.zoe] has no effect, because there is no account zoe\n`,
    ].join("");
    for (const word of ["start", "restart"]) {
      const ran = await proxy(layout, [word]);
      expect([word, ran.code, ran.err.split(warnings).length]).toEqual([word, 0, 2]);
    }
    await proxy(layout, ["stop"]);
  });

  test("names failovers and dead logins on its console as they happen", async () => {
    const layout = freshRoot();
    enrol(layout, "bob", mock.authFile("bob"));
    writeFileSync(layout.config, `${readFileSync(layout.config, "utf8")}[policy]\nmode = "sticky"\n`);
    const url = /on (http:\S+)/.exec((await proxy(layout, ["start"])).out)?.[1] ?? "";
    const answer = { status: 429, body: { error: limitBody(Math.floor(Date.now() / 1000) + 3 * 3_600) } };
    mock.faults.add({ on: "turn", account: "alice", times: 1, answer });
    expect(await createSseClient(url, "s1").turn("hi")).toBe("Hello from bob");
    await proxy(layout, ["stop"]);
    const console = readFileSync(join(layout.logs, "auto-start.log"), "utf8");
    expect(console).toContain("codexlb: account alice cools down for 3 h: 5h limit\n");
    expect(console).toContain("codexlb: bob took over a turn\n");
  });

  test("shows the last switches after a restart as before", async () => {
    const layout = freshRoot();
    enrol(layout, "bob", mock.authFile("bob"));
    writeFileSync(layout.config, `${readFileSync(layout.config, "utf8")}[policy]\nmode = "sticky"\n`);
    const url = /on (http:\S+)/.exec((await proxy(layout, ["start"])).out)?.[1] ?? "";
    const answer = { status: 429, body: { error: limitBody(Math.floor(Date.now() / 1000) + 3 * 3_600) } };
    mock.faults.add({ on: "turn", account: "alice", times: 1, answer });
    const sessions = ["s1", "s2"].map((session) => createSseClient(url, session));
    for (const session of sessions) expect(await session.turn("hi")).toBe("Hello from bob");
    const switches = async () => {
      const { out } = await runCli(["status", "--json", "--root", layout.root], { cwd: temp.path });
      return JSON.parse(out).switches;
    };
    const before = (await switches()) as object[];
    expect(before).toMatchObject([
      { from: "alice", to: "bob", reason: "usage-limit", count: 1, window: "daily", session: "s1" },
    ]);
    expect((await proxy(layout, ["restart"])).code).toBe(0);
    // The log has the time at which it got the entry, which may be a millisecond later.
    const times = { at_ms: expect.any(Number), first_at_ms: expect.any(Number) };
    expect(await switches()).toEqual(before.map((one) => ({ ...one, ...times })));
    const { out } = await runCli(["status", "--root", layout.root], { cwd: temp.path, terminal: 80 });
    expect(out).toContain("last switches:\n  alice: 5h limit -> bob, a moment ago\n");
    await proxy(layout, ["stop"]);
  });

  test("reports why it does not start", async () => {
    const layout = freshRoot();
    const failed = await proxy(layout, ["start", "--listen", "0.0.0.0:0"]);
    expect(failed).toMatchObject({ code: 1, out: "" });
    expect(failed.err).toStartWith(
      "codexlb: starting the proxy: listening on 0.0.0.0:0 would let every machine",
    );
    // The proxy's own next step, which names the settings, and not a command without the flags.
    expect(failed.err).toContain("client_auth = true");
    expect(failed.err).not.toContain("foreground");
    const invalid = await proxy(layout, ["start", "--upstream", "nowhere"]);
    expect(invalid.err).toMatch(
      /^codexlb: starting the proxy: --upstream: .*\n {2}correct it, or leave it out\n$/,
    );
  });

  test("names a proxy that already runs on the root or the address, and leaves no new root behind", async () => {
    const layout = freshRoot();
    await proxy(layout, ["start"]);
    const daemon = await daemonAt(layout.adminSocket);
    if (daemon.kind !== "answers") throw new Error("the proxy does not answer");
    const { url, pid } = daemon.info();
    expect(await proxy(layout, [])).toEqual({
      code: 1,
      out: "",
      err: `codexlb: another codexlb proxy runs on ${layout.root}\n  stop the one on ${url} (process ${pid}) with: codexlb proxy stop --root ${layout.root}, or start this proxy with another --root\n`,
    });
    const other = layoutOf(join(temp.path, `new-${++serial}`));
    for (const words of [["start"], []]) {
      const taken = await proxy(other, [...words, "--listen", new URL(url).host]);
      expect(taken.code).toBe(1);
      expect(taken.err).toContain(
        "the address is in use\n  another codexlb proxy is already listening on this address; stop it, or choose another --listen address\n",
      );
      expect(taken.err).toContain(`removed the new root ${other.root}\n`);
      expect(existsSync(other.root)).toBe(false);
    }
    await proxy(layout, ["stop"]);
  });

  test("reports that it runs with other flags, and which flags a restart keeps", async () => {
    const layout = freshRoot();
    await proxy(layout, ["start", "--max-attempts", "7"]);
    // The same flags, or none, are nothing to report.
    for (const flags of [[], ["--max-attempts", "7"]])
      expect((await proxy(layout, ["start", ...flags])).err).toBe("");
    const other = await proxy(layout, ["start", "--max-attempts", "5"]);
    expect(other).toMatchObject({ code: 0, out: expect.stringContaining("is already running\n") });
    expect(other.err).toBe(
      `codexlb: warning: --max-attempts 5 was not applied (now 7); to apply it, run: codexlb proxy restart --root ${layout.root} --max-attempts 5\n`,
    );
    expect((await proxy(layout, ["restart"])).err).not.toContain("kept");
    writeFileSync(
      layout.config,
      readFileSync(layout.config, "utf8").replace("[proxy]\n", "[proxy]\nmax_attempts = 3\n"),
    );
    expect((await proxy(layout, ["restart"])).err).toContain(
      `codexlb: kept --max-attempts 7 from the first start, overriding proxy.max_attempts = 3 (config.toml line 2); to use the setting instead, run: codexlb proxy stop --root ${layout.root}; codexlb proxy start --root ${layout.root}\n`,
    );
    expect((await proxy(layout, ["restart", "--max-attempts", "4"])).err).not.toContain("kept");
    await proxy(layout, ["stop"]);
  });

  test("keeps running if a restart with the new settings or flags could not start", async () => {
    const layout = freshRoot();
    await proxy(layout, ["start"]);
    const valid = readFileSync(layout.config, "utf8");
    const pid = await pidOn(layout);
    const withListen = (listen: string) => valid.replace("127.0.0.1:0", listen);
    for (const [text, flags, why] of [
      ["[proxy\nlisten = 127", [], "not valid TOML: line 1"],
      [withListen("nowhere"), [], "proxy.listen"],
      [withListen("0.0.0.0:0"), [], "would let every machine that reaches it use your accounts"],
      [
        `${withListen("192.0.2.1:0")}allow_unauthenticated = true\n`,
        [],
        "listening on 192.0.2.1:0: this machine does not have the address",
      ],
      [valid, ["--listen", "nowhere"], "--listen: "],
      [valid, ["--max-attempts", "many"], "flag --max-attempts: "],
    ] as const) {
      writeFileSync(layout.config, text);
      const refused = await proxy(layout, ["restart", ...flags]);
      expect([refused.code, refused.out, refused.err]).toEqual([
        expect.any(Number),
        "",
        expect.stringContaining(why),
      ]);
      expect(refused.code).not.toBe(0);
      expect(refused.err).not.toContain("warning");
      if (!why.startsWith("flag"))
        expect(refused.err).toMatch(
          /^codexlb: the new proxy could not start: .*\n {2}.*; the running proxy was not stopped\n$/,
        );
      expect(await pidOn(layout)).toBe(pid);
    }
    writeFileSync(layout.config, valid);
    await proxy(layout, ["stop"]);
  });

  test("has commands that do nothing else", async () => {
    const layout = freshRoot();
    for (const word of ["stpo", "strat"]) {
      const wrong = await proxy(layout, [word]);
      expect(wrong).toMatchObject({ code: 2, out: "" });
      expect(wrong.err).toMatch(/unexpected argument ".*"\n {2}did you mean (?:stop|start)\?/);
    }
    expect((await proxy(layout, ["down"])).err).toContain("did you mean stop?");
    expect(await daemonAnswers(layout.adminSocket)).toBe(false);
  });
});

const isLinux = process.platform === "linux";
if (!isLinux) console.log("skipped: the service of a root (systemd is on Linux only)");

test.skipIf(!isLinux)("the service of the root is started, and stops with it", async () => {
  const layout = freshRoot();
  const managers = fakeManagers(temp.path);
  const units = join(temp.path, "home", ".config", "systemd", "user");
  mkdirSync(units, { recursive: true });
  const unit = join(units, "codexlb-proxy.service");
  writeFileSync(unit, `[Service]\nType=simple\nExecStart=/opt/codexlb proxy --root ${layout.root}\n`);
  const env = { PATH: managers.path };
  expect(await proxy(layout, ["start"], env)).toMatchObject({
    code: 0,
    out: "started the proxy as its service\n",
  });
  expect(managers.calls()).toContain("systemctl --user restart codexlb-proxy.service");
  const flags = await proxy(layout, ["start", "--listen", "127.0.0.1:1"], env);
  expect(flags).toMatchObject({ code: 2, out: "" });
  expect(flags.err).toBe(
    `codexlb: the service in ${unit} runs the proxy on this root, and would ignore --listen\n  leave the flag out, or change it for the service: run: codexlb service install --root ${layout.root} --listen 127.0.0.1:1\n`,
  );
  expect((await proxy(layout, ["start"])).code).toBe(0);
  managers.setPid((await pidOn(layout)) ?? 0);
  managers.calls();
  const restarted = await proxy(layout, ["restart", "--listen", "127.0.0.1:1", "--max-attempts", "5"], env);
  expect(restarted).toMatchObject({ code: 2, out: "" });
  expect(restarted.err).toBe(
    `codexlb: the service in ${unit} runs the proxy on this root, and would ignore --listen, --max-attempts\n  leave the flags out, or change it for the service: run: codexlb service install --root ${layout.root} --listen 127.0.0.1:1; set proxy.max_attempts = 5 in config.toml\n`,
  );
  const started = await proxy(layout, ["start", "--max-attempts", "5"], env);
  expect(started.err).toMatch(
    /^codexlb: warning: --max-attempts 5 was not applied \(now \d+\); to apply it, set proxy\.max_attempts = 5 in config\.toml\n$/,
  );
  expect(managers.calls()).toEqual([]);
  expect((await proxy(layout, ["restart"], env)).out).toBe("restarted the proxy and its service\n");
  const stopped = await proxy(layout, ["stop"], env);
  expect(stopped.out).toMatch(/^stopped the proxy edge on .* and its service\n$/);
  expect(stopped.err).toContain("to remove it: codexlb service uninstall\n");
  expect(managers.calls()).toEqual([
    "systemctl --user restart codexlb-proxy.service",
    "systemctl --user stop codexlb-proxy.service",
  ]);
  await proxy(layout, ["stop"]);
});
