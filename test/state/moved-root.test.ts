// A root that is moved while the proxy runs, and its socket.

import { describe, expect, test } from "bun:test";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { remoteInfo } from "../../src/admin/client.ts";
import { socketDoor } from "../../src/admin/door.ts";
import { startDaemon } from "../../src/daemon/daemon.ts";
import { systemDeps } from "../../src/deps.ts";
import { openEventLog } from "../../src/state/events.ts";
import { layoutOf } from "../../src/state/layout.ts";
import { ownRoot } from "../../src/state/root-owner.ts";
import { fakeClock, skippingClock } from "../support/clock.ts";
import { daemonAnswers } from "../support/daemon-answers.ts";
import { startPool } from "../support/pool.ts";
import { tempDirectory } from "../support/temp.ts";

const MAIN = join(import.meta.dir, "..", "..", "src", "main.ts");

/** Everything below `directory` with the time of its last change. */
function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true })
    .map(String)
    .sort()
    .map((name) => `${name} ${lstatSync(join(directory, name)).mtimeMs}`);
}

async function turn(url: string): Promise<number> {
  const response = await fetch(`${url}/backend-api/codex/responses`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "m", input: [], stream: true, prompt_cache_key: crypto.randomUUID() }),
  });
  await response.text();
  return response.status;
}

test("a process no longer writes to a root that it has released", async () => {
  using directory = tempDirectory();
  const layout = layoutOf(directory.path);
  const clock = fakeClock();
  const owner = await ownRoot(layout, { clock }, 0);
  if (owner === undefined) throw new Error("another process owns the root");
  const events = openEventLog(layout.events, { clock, log: { info: () => {}, warn: () => {} } }, { owner });
  events.append("proxy.stopping");
  events.flush();
  expect(owner.isOurs()).toBe(true);
  owner.release();
  expect(owner.isOurs()).toBe(false);
  events.append("quota.refresh_failed");
  clock.advance(1_000);
  expect(readFileSync(layout.events, "utf8").trimEnd().split("\n")).toHaveLength(1);
});

describe("a root that was moved", () => {
  test("is noticed within a second, and nothing is written to its replacement", async () => {
    const clock = skippingClock();
    await using pool = await startPool({ accounts: [{ alias: "alice" }], clock });
    const elsewhere = `${pool.layout.root}-moved`;
    renameSync(pool.layout.root, elsewhere);
    mkdirSync(join(pool.layout.root, "logs"), { recursive: true });
    writeFileSync(pool.layout.lock, "");
    const before = filesBelow(pool.layout.root);
    // Changes the store, the sessions and the log.
    expect(await turn(pool.url)).toBe(200);
    clock.skip(10_000);
    const error = await pool.daemon.lost;
    expect(error.code).toBe("root_moved");
    expect(error.message).toContain(pool.layout.root);
    await pool.daemon.stop("test");
    expect(filesBelow(pool.layout.root)).toEqual(before);
    expect(pool.warnings.some((line) => line.startsWith("account alice is gone"))).toBe(false);
  });

  test("makes the proxy refuse changes", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const elsewhere = `${pool.layout.root}-moved`;
    renameSync(pool.layout.root, elsewhere);
    mkdirSync(pool.layout.root);
    const answer = await fetch("http://localhost/admin/account/disable", {
      unix: join(elsewhere, "admin.sock"),
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ alias: "alice" }),
    });
    expect(await answer.json()).toMatchObject({ code: "root_moved" });
  });

  test("shuts the proxy down with a message and a next step", async () => {
    using temp = tempDirectory();
    const root = join(temp.path, "root");
    const child = Bun.spawn([process.execPath, MAIN, "proxy", "--root", root, "--listen", "127.0.0.1:0"], {
      env: { PATH: process.env.PATH, HOME: temp.path },
      stdout: "pipe",
      stderr: "pipe",
    });
    await child.stdout.getReader().read();
    renameSync(root, join(temp.path, "elsewhere"));
    expect(await child.exited).toBe(1);
    expect(await child.stderr.text()).toContain(
      `codexlb: ${root} was moved, removed or replaced while the proxy was running; the proxy no longer writes there\n` +
        "  start the proxy again, with --root set to the directory's current path\n",
    );
    expect(existsSync(root)).toBe(false);
  });
});

describe("admin.sock", () => {
  test("of another proxy at the old path is kept", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    renameSync(pool.layout.root, `${pool.layout.root}-moved`);
    const other = await startDaemon(layoutOf(pool.layout.root), { listen: "127.0.0.1:0" }, systemDeps());
    await pool.daemon.stop("test");
    expect(await daemonAnswers(pool.layout.adminSocket)).toBe(true);
    await other.stop("test");
    expect(existsSync(pool.layout.adminSocket)).toBe(false);
  });

  test("that replaced the proxy's own is kept", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    rmSync(pool.layout.adminSocket);
    writeFileSync(pool.layout.adminSocket, "other");
    await pool.daemon.stop("test");
    expect(existsSync(pool.layout.adminSocket)).toBe(true);
  });

  test("is removed at the end of its proxy, together with all temporary files", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    expect(lstatSync(pool.layout.adminSocket).mode & 0o777).toBe(0o600);
    await pool.daemon.stop("test");
    expect(readdirSync(pool.layout.root).filter((name) => name.endsWith(".sock"))).toEqual([]);
  });

  test.skipIf(Bun.which("strace") === null)("is created with its mode, not changed afterwards", async () => {
    using temp = tempDirectory();
    const trace = join(temp.path, "trace");
    const calls = "trace=bind,umask,chmod,fchmodat,rename,renameat,renameat2";
    const child = Bun.spawn(
      [
        ...["strace", "-f", "-e", calls, "-o", trace, process.execPath, MAIN],
        ...["proxy", "--root", join(temp.path, "root"), "--listen", "127.0.0.1:0"],
      ],
      { env: { PATH: process.env.PATH, HOME: temp.path }, stdout: "pipe", stderr: "ignore" },
    );
    await child.stdout.getReader().read();
    // strace does not pass signals on to the traced process.
    process.kill((await remoteInfo(socketDoor(join(temp.path, "root", "admin.sock")))).pid, "SIGTERM");
    await child.exited;
    const lines = (await Bun.file(trace).text()).split("\n");
    const at = (what: RegExp) => lines.findIndex((line) => what.test(line));
    const [masked, bound, placed] = [at(/umask\(0177\)/), at(/bind\(.*\.sock/), at(/rename.*admin\.sock/)];
    expect([masked >= 0, masked < bound, bound < placed]).toEqual([true, true, true]);
    expect(lines.slice(masked + 1, bound).filter((line) => line.includes("umask("))).toEqual([]);
    expect(lines.filter((line) => /chmod.*\.sock/.test(line))).toEqual([]);
  });
});
