// Tests that `codexlb service` checks whether the proxy can start before it stops a running one.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runningProxy } from "../../src/admin/daemon.ts";
import { createEngine } from "../../src/cluster/engine.ts";
import { poolRecords } from "../../src/cluster/pool-records.ts";
import { createReplicaFile } from "../../src/cluster/replica-file.ts";
import { createSealer } from "../../src/cluster/sealing.ts";
import { systemDeps } from "../../src/deps.ts";
import { CodexlbError } from "../../src/errors.ts";
import { installService, restartService } from "../../src/service/operations.ts";
import { programRunner } from "../../src/service/run-program.ts";
import { createSystemd } from "../../src/service/systemd.ts";
import { layoutOf } from "../../src/state/layout.ts";
import { runCli } from "../support/cli.ts";
import { type FakeManagers, fakeManagers } from "../support/fake-managers.ts";
import { startPool } from "../support/pool.ts";
import { startRedis, whyNoRedis } from "../support/redis.ts";
import { type TempDirectory, tempDirectory } from "../support/temp.ts";

let temp: TempDirectory;
let managers: FakeManagers;
let binary: string;
let root: string;
beforeEach(() => {
  temp = tempDirectory();
  managers = fakeManagers(temp.path);
  binary = join(temp.path, "codexlb");
  writeFileSync(binary, "#!/bin/sh\n", { mode: 0o755 });
  root = join(temp.path, "home", ".codex-lb");
  mkdirSync(root, { recursive: true, mode: 0o700 });
  configure('[proxy]\nlisten = "127.0.0.1:0"\n');
});
afterEach(() => temp[Symbol.dispose]());

const configure = (text: string) => writeFileSync(join(root, "config.toml"), text);
const service = (...args: string[]) =>
  runCli(["service", ...args, "--target", "systemd"], {
    cwd: temp.path,
    env: { USER: "alice", PATH: managers.path },
  });
const install = (...args: string[]) => service("install", "--binary", binary, ...args);
const unitPath = () => join(temp.path, "home", ".config", "systemd", "user", "codexlb-proxy.service");

/** A program that listens on its own port. */
function listener() {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("") });
  return { port: server.port, [Symbol.asyncDispose]: () => server.stop(true) };
}

describe("an invalid config.toml", () => {
  test("prevents the installation, which leaves no unit behind", async () => {
    configure("garbage = [");
    const { code, err } = await install();
    expect([code, err]).toEqual([
      1,
      expect.stringContaining(`the service could not start: reading ${join(root, "config.toml")}: not valid`),
    ]);
    expect(err).toEndWith("\n  correct the file and try again\n");
    expect(managers.calls()).toEqual([]);
    expect(existsSync(unitPath())).toBe(false);
  });

  test.each(["garbage = [", '[proxy]\nlisten = "nowhere"\n', '[proxy]\nmax_attempts = "many"\n'])(
    "prevents a restart: %j",
    async (text) => {
      await install();
      managers.calls();
      configure(text);
      const { code, err } = await service("restart");
      expect([code, err]).toEqual([1, expect.stringContaining("the service could not start: reading ")]);
      expect(managers.calls()).toEqual([]);
      expect(managers.is("running")).toBe(true);
    },
  );

  test("prevents an update of the unit", async () => {
    await install();
    const before = readFileSync(unitPath(), "utf8");
    managers.calls();
    configure("garbage = [");
    expect((await install("--upstream", "https://backend.example")).code).toBe(1);
    expect(managers.calls()).toEqual([]);
    expect(readFileSync(unitPath(), "utf8")).toBe(before);
  });

  test("does not end a running proxy, and the error says so", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    root = pool.layout.root;
    managers.set("running", true);
    configure('[proxy]\nlisten = "127.0.0.1:0"\n');
    await install("--root", root);
    managers.calls();
    configure("garbage = [");
    expect((await service("restart")).err).toEndWith(
      "\n  correct the file and try again; the running proxy was not stopped\n",
    );
    expect(managers.calls()).toEqual([]);
    expect((await runningProxy(pool.layout.adminSocket))?.url).toBe(pool.url);
  });
});

test("a replica without its key is not restarted", async () => {
  await install();
  managers.calls();
  const keyFile = join(root, "pool.key");
  createReplicaFile(layoutOf(root).cluster, "replica", "default", "pool");
  configure(
    '[proxy]\nlisten = "127.0.0.1:0"\n[cluster]\nurl = "redis://127.0.0.1:1/0"\nkey_file = "pool.key"\n',
  );
  for (const attempt of [() => service("restart"), () => install("--upstream", "https://backend.example")])
    expect(await attempt()).toEqual({
      code: 1,
      out: "",
      err: `codexlb: the service could not start: reading the cluster's key from ${keyFile}: no such file\n  copy the key file from another replica, or restore it from a backup\n`,
    });
  expect(managers.calls()).toEqual([]);
  // The environment of the service, which this command does not know, may name the key.
  configure('[proxy]\nlisten = "127.0.0.1:0"\n[cluster]\nurl = "redis://127.0.0.1:1/0"\n');
  expect((await service("restart")).code).toBe(0);
  writeFileSync(keyFile, Buffer.alloc(32, 5).toString("base64"), { mode: 0o600 });
  configure(
    '[proxy]\nlisten = "127.0.0.1:0"\n[cluster]\nurl = "redis://127.0.0.1:1/0"\nkey_file = "pool.key"\n',
  );
  expect((await service("restart")).code).toBe(0);
});

test.skipIf(whyNoRedis !== undefined)(
  "a replica with a key that does not open the pool is not restarted",
  async () => {
    await using redis = await startRedis();
    await install();
    managers.calls();
    const deps = systemDeps();
    const engine = createEngine({ url: redis.url, pool: "default", deps });
    await engine.connected(30_000);
    const key = new Uint8Array(32).fill(6);
    await poolRecords(engine, createSealer(key, "default", deps.random), "default").create("pool", "", false);
    engine.close();
    createReplicaFile(layoutOf(root).cluster, "replica", "default", "pool");
    configure(`[proxy]\nlisten = "127.0.0.1:0"\n[cluster]\nurl = "${redis.url}"\nkey_file = "pool.key"\n`);
    const keyFile = join(root, "pool.key");
    writeFileSync(keyFile, Buffer.alloc(32, 5).toString("base64"), { mode: 0o600 });
    const { code, err } = await service("restart");
    expect([code, err]).toEqual([1, expect.stringContaining("the service could not start: using ")]);
    expect(err).toContain("the key does not open the pool default");
    expect(managers.calls()).toEqual([]);
    writeFileSync(keyFile, Buffer.from(key).toString("base64"));
    expect((await service("restart")).code).toBe(0);
  },
  30_000,
);

describe("a port of another program", () => {
  test("prevents the installation", async () => {
    await using other = listener();
    const address = `127.0.0.1:${other.port}`;
    expect(await install("--listen", address)).toEqual({
      code: 1,
      out: "",
      err: `codexlb: the service could not start: another program listens on ${address}\n  stop that program, or choose another address (--listen sets this one)\n`,
    });
    expect(managers.calls()).toEqual([]);
    expect(existsSync(unitPath())).toBe(false);
  });

  test("in config.toml prevents a restart", async () => {
    await using other = listener();
    await install();
    managers.calls();
    configure(`[proxy]\nlisten = "127.0.0.1:${other.port}"\n`);
    const { code, err } = await service("restart");
    expect([code, err]).toEqual([1, expect.stringContaining("(config.toml line 2 sets this one)")]);
    expect(managers.calls()).toEqual([]);
  });

  test("is no obstacle if the program is the running proxy", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    root = pool.layout.root;
    managers.set("running", true);
    configure(`[proxy]\nlisten = "${new URL(pool.url).host}"\n`);
    expect((await install("--root", root)).code).toBe(0);
    expect((await service("restart")).out).toBe("restarted the service\n");
  });
});

test("a changed service that does not start is restored", async () => {
  await install();
  const before = readFileSync(unitPath(), "utf8");
  const run = programRunner({ PATH: managers.path });
  let isBroken = true;
  const failsOnce: typeof run = async (argv) => {
    if (!isBroken || !argv.includes("restart")) return run(argv);
    isBroken = false;
    return { code: 1, out: "", err: "Job failed." };
  };
  const directory = join(unitPath(), "..");
  const manager = createSystemd({ directory, isSystem: false, env: {}, run });
  const options = { binary, root, listen: "127.0.0.1:0", upstream: undefined, user: undefined };
  const error = await installService(manager, options, { run: failsOnce, sleep: Bun.sleep }).catch(
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(CodexlbError);
  expect(error.message).toBe(
    `systemctl --user restart codexlb-proxy.service: Job failed.; the previous ${unitPath()} was restored, and its service restarted`,
  );
  expect(readFileSync(unitPath(), "utf8")).toBe(before);
  expect(managers.calls().slice(-3)).toEqual([
    "systemctl --user daemon-reload",
    "systemctl --user enable codexlb-proxy.service",
    "systemctl --user restart codexlb-proxy.service",
  ]);
});

test("errors about a system-wide service name its commands", async () => {
  const run = programRunner({ PATH: managers.path });
  const manager = createSystemd({ directory: temp.path, isSystem: true, env: {}, run });
  const tools = { run, sleep: Bun.sleep };
  expect(await restartService(manager, tools).catch((thrown) => thrown.next)).toBe(
    "install it with: codexlb service install --system",
  );
  managers.set("failing", true);
  const options = { binary, root, listen: undefined, upstream: undefined, user: "codexlb" };
  expect(await installService(manager, options, tools).catch((thrown) => thrown.next)).toBe(
    "see why: codexlb service status --system, codexlb service logs --system",
  );
});
