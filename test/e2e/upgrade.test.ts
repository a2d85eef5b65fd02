// Tests that the executable upgrades itself, with and without a running proxy.

import { expect, test } from "bun:test";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemDeps } from "../../src/deps.ts";
import { startMock } from "../../src/mock/backend.ts";
import { executable } from "../support/executable.ts";
import { addRelease, versionScript } from "../support/fake-release.ts";
import { foreignProxy, unknownPath } from "../support/foreign-proxy.ts";

const { version } = JSON.parse(readFileSync(join(import.meta.dir, "..", "..", "package.json"), "utf8"));
const NEWER = "99.0.0";

/** An executable, and a release in a directory next to it. */
function installed(release: string) {
  const program = executable();
  const from = join(program.directory, "release");
  mkdirSync(from);
  addRelease(from, { version: release });
  return { program, from };
}

test("--check compares the versions and changes nothing", async () => {
  const { program, from } = installed(NEWER);
  using _ = program;
  const before = readFileSync(program.path);
  expect(await program.run(["upgrade", "--check"], { CODEXLB_RELEASE: from })).toEqual({
    code: 0,
    out: `version ${NEWER} is available; this is ${version}\n`,
    err: "",
  });
  expect(readFileSync(program.path).equals(before)).toBe(true);
});

test("a release in a directory replaces the executable", async () => {
  const { program, from } = installed(NEWER);
  using _ = program;
  expect(await program.run(["upgrade", "--from", from])).toEqual({
    code: 0,
    out: `upgraded ${program.path} from ${version} to ${NEWER}\n`,
    err: "",
  });
  expect(readFileSync(program.path, "utf8")).toBe(versionScript(NEWER));
});

test("the same version is up to date, and an older one is refused", async () => {
  const { program, from } = installed(version);
  using _ = program;
  expect((await program.run(["upgrade", "--from", from])).out).toBe(`version ${version} is up to date\n`);
  const old = join(program.directory, "old");
  mkdirSync(old);
  addRelease(old, { version: "0.0.1" });
  expect(await program.run(["upgrade", "--from", old])).toEqual({
    code: 1,
    out: "",
    err: `codexlb: the release 0.0.1 is older than the installed version ${version}\n  to install it anyway, add --allow-older\n`,
  });
  expect((await program.run(["upgrade", "--check", "--from", old])).out).toBe(
    `this is ${version}, which is newer than the release 0.0.1\n`,
  );
});

test("upgrade without a release prints how to name one", async () => {
  using program = executable();
  expect(await program.run(["upgrade"])).toEqual({
    code: 2,
    out: "",
    err: "codexlb: upgrade needs a release\n  name its directory or URL with --from or CODEXLB_RELEASE; the newest is https://github.com/gngeorgiev/codexlb/releases/latest/download\n",
  });
});

test("upgrade of a package manager's copy prints that manager's command, without a release", async () => {
  using program = executable();
  const cellar = join(program.directory, "Cellar", "codexlb", version, "bin");
  mkdirSync(cellar, { recursive: true });
  const path = join(cellar, "codexlb");
  copyFileSync(program.path, path);
  const child = Bun.spawn([path, "upgrade"], { env: program.env(), stdout: "ignore", stderr: "pipe" });
  const [err, code] = await Promise.all([child.stderr.text(), child.exited]);
  expect([code, err]).toEqual([
    1,
    `codexlb: ${path} was installed by Homebrew\n  upgrade it with: brew upgrade codexlb\n`,
  ]);
});

test("upgrade reports a proxy that is older than the executable, even if that is up to date", async () => {
  const { program, from } = installed(version);
  using _ = program;
  await using __ = foreignProxy(program.root, "0.0.1", unknownPath);
  expect(await program.run(["upgrade", "--from", from])).toEqual({
    code: 0,
    out: `version ${version} is up to date\n`,
    err: `codexlb: the proxy on ${program.root} (process 4711) still runs version 0.0.1; restart it: kill 4711, then start codexlb proxy again\n`,
  });
});

test("--allow-older reports a downgrade", async () => {
  const { program, from } = installed("0.0.1");
  using _ = program;
  expect((await program.run(["upgrade", "--allow-older", "--from", from])).out).toBe(
    `downgraded ${program.path} from ${version} to 0.0.1\n`,
  );
});

test("a running proxy continues to serve, and upgrade prints how to restart it", async () => {
  const { program, from } = installed(NEWER);
  using _ = program;
  const mock = startMock({ accounts: [{ alias: "alice" }], clock: systemDeps().clock });
  try {
    await using proxy = await program.start(
      ["proxy", "--listen", "127.0.0.1:0", "--upstream", mock.baseUrl],
      { CODEXLB_TOKEN_URL: mock.tokenUrl },
    );
    const url = /on (http:\S+)/.exec(proxy.firstLine)?.[1] ?? "";
    expect(await program.run(["upgrade", "--from", from])).toEqual({
      code: 0,
      out: `upgraded ${program.path} from ${version} to ${NEWER}\n`,
      err: `codexlb: the proxy on ${program.root} (process ${proxy.pid}) still runs version ${version}; restart it: kill ${proxy.pid}, then start codexlb proxy again\n`,
    });
    expect((await fetch(`${url}/status`)).status).toBe(200);
    // The proxy can still load parts from the executable that was replaced.
    expect((await fetch(`${url}/backend-api/codex/responses`, { method: "POST", body: "{}" })).status).toBe(
      400,
    );
  } finally {
    await mock.stop();
  }
});

test("without permission, upgrade changes nothing and suggests sudo", async () => {
  const { program, from } = installed(NEWER);
  using _ = program;
  const isRoot = process.getuid?.() === 0;
  if (isRoot && Bun.which("setpriv") === null)
    return console.log("skipped: an upgrade without permission (there is no setpriv)");
  const locked = join(program.directory, "locked");
  mkdirSync(locked);
  const path = join(locked, "codexlb");
  writeFileSync(path, readFileSync(program.path), { mode: 0o755 });
  chmodSync(program.directory, 0o755);
  chmodSync(locked, 0o555);
  const other = isRoot ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
  const child = Bun.spawn([...other, path, "upgrade", "--from", from, "--root", join(from, "none")], {
    env: program.env(),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  chmodSync(locked, 0o755);
  expect([code, out]).toEqual([1, ""]);
  expect(err).toMatch(
    /^codexlb: replacing \S+: permission denied\n {2}run it as a user who can write to \S+, for example with sudo\n$/,
  );
  expect(readFileSync(path).equals(readFileSync(program.path))).toBe(true);
});
