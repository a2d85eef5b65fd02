// Tests upgrading an executable from a release in a directory or at a URL.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { CodexlbError } from "../../src/errors.ts";
import { programRunner } from "../../src/service/run-program.ts";
import { packageOwner } from "../../src/upgrade/package-manager.ts";
import { releaseSource } from "../../src/upgrade/source.ts";
import { targetOf, thisMachine } from "../../src/upgrade/target.ts";
import { compareWithRelease, type UpgradeOptions, upgradeExecutable } from "../../src/upgrade/upgrade.ts";
import { addRelease, type TestRelease, versionScript } from "../support/fake-release.ts";
import { type TempDirectory, tempDirectory } from "../support/temp.ts";

const INSTALLED = "1.2.3";
const NEWER = "1.10.0";
const MIB = 1024 * 1024;
const isArm = process.arch === "arm64";

let temp: TempDirectory;
let directory: string;
let executable: string;
beforeEach(() => {
  temp = tempDirectory();
  directory = join(temp.path, "release");
  mkdirSync(directory);
  mkdirSync(join(temp.path, "bin"));
  executable = join(temp.path, "bin", "codexlb");
  writeFileSync(executable, versionScript(INSTALLED));
  chmodSync(executable, 0o751);
});
afterEach(() => temp[Symbol.dispose]());

const random = (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes));
const tools = (path = "/usr/bin:/bin") => ({ run: programRunner({ PATH: path }), random });
const options = (from = directory, more: Partial<UpgradeOptions> = {}): UpgradeOptions => ({
  source: releaseSource(from, { env: {} }),
  target: targetOf(thisMachine()),
  executable,
  version: INSTALLED,
  allowOlder: false,
  ...more,
});

/** Checks that the executable's directory contains only the executable, and that it has this version. */
function expectInstalled(version: string): void {
  expect(readdirSync(join(temp.path, "bin"))).toEqual(["codexlb"]);
  expect(readFileSync(executable, "utf8")).toBe(versionScript(version));
  expect(statSync(executable).mode & 0o777).toBe(0o751);
}

async function refusal(work: Promise<unknown>): Promise<CodexlbError> {
  const error = await work.then(
    () => undefined,
    (thrown) => thrown,
  );
  if (!(error instanceof CodexlbError)) throw new Error(`no refusal: ${error}`);
  return error;
}

describe("from a directory", () => {
  test("an upgrade installs the newest release for this machine, and keeps the executable's mode", async () => {
    addRelease(directory, { version: "1.9.0" });
    addRelease(directory, { version: NEWER });
    addRelease(directory, { version: "2.0.0", target: "darwin-other" });
    const upgraded = await upgradeExecutable(options(), tools());
    expect(upgraded?.version).toBe(NEWER);
    upgraded?.replacement.keep();
    expectInstalled(NEWER);
  });

  test("an upgrade replaces the manual page and completions only where they are installed", async () => {
    addRelease(directory, { version: NEWER });
    const share = join(temp.path, "share");
    const page = join(share, "man", "man1", "codexlb.1");
    const completion = join(share, "bash-completion", "completions", "codexlb");
    for (const path of [page, completion]) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, `of ${INSTALLED}`, { mode: 0o644 });
    }
    const upgraded = await upgradeExecutable(options(), tools());
    upgraded?.replacement.keep();
    upgraded?.refreshExtras();
    expect(readFileSync(page, "utf8")).toBe(`man/codexlb.1 of ${NEWER}\n`);
    expect(readFileSync(completion, "utf8")).toBe(`completions/codexlb.bash of ${NEWER}\n`);
    expect(statSync(page).mode & 0o777).toBe(0o644);
    expect(readdirSync(share, { recursive: true }).length).toBe(6);
  });

  test("asking package managers for the executable creates no files in the home directory", async () => {
    addRelease(directory, { version: NEWER });
    const home = join(temp.path, "home");
    mkdirSync(home);
    const run = programRunner({ PATH: "/usr/bin:/bin", HOME: home });
    (await upgradeExecutable(options(), { run, random }))?.replacement.keep();
    expect(readdirSync(home)).toEqual([]);
  });

  test("an upgrade replaces the target of a symbolic link, and keeps the link", async () => {
    addRelease(directory, { version: NEWER });
    const link = join(temp.path, "codexlb");
    symlinkSync(executable, link);
    (await upgradeExecutable(options(directory, { executable: link }), tools()))?.replacement.keep();
    expectInstalled(NEWER);
  });

  test("undo restores the previous executable", async () => {
    addRelease(directory, { version: NEWER });
    (await upgradeExecutable(options(), tools()))?.replacement.undo();
    expectInstalled(INSTALLED);
  });

  test("a running program continues with the previous executable", async () => {
    addRelease(directory, { version: NEWER });
    writeFileSync(executable, `${versionScript(INSTALLED)}read line\necho "still ${INSTALLED}"\n`);
    const child = Bun.spawn([executable], { stdin: "pipe", stdout: "pipe" });
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toContain(INSTALLED);
    (await upgradeExecutable(options(), tools()))?.replacement.keep();
    child.stdin.write("continue\n");
    child.stdin.end();
    expect((await reader.read()).value).toBe(`still ${INSTALLED}\n`);
    expectInstalled(NEWER);
  });

  test("a release of the same version changes nothing", async () => {
    addRelease(directory, { version: INSTALLED });
    expect(await upgradeExecutable(options(), tools())).toBeUndefined();
    expectInstalled(INSTALLED);
  });

  test("an older release is refused without allowOlder", async () => {
    addRelease(directory, { version: "1.2.3-rc.1" });
    expect(await refusal(upgradeExecutable(options(), tools()))).toMatchObject({
      code: "upgrade_refused",
      message: "the release 1.2.3-rc.1 is older than the installed version 1.2.3",
      next: "to install it anyway, add --allow-older",
    });
    expectInstalled(INSTALLED);
    (await upgradeExecutable(options(directory, { allowOlder: true }), tools()))?.replacement.keep();
    expectInstalled("1.2.3-rc.1");
  });

  test.each([
    ["0.9.9", "older"],
    ["1.2.3", "same"],
    ["1.2.4-rc.1", "newer"],
    ["1.10.0", "newer"],
  ] as const)("version %s is %s", async (version, release) => {
    addRelease(directory, { version });
    expect((await compareWithRelease(options())).release).toBe(release);
    expectInstalled(INSTALLED);
  });
});

describe("an upgrade changes nothing", () => {
  const broken: readonly [string, Omit<TestRelease, "version">, RegExp][] = [
    [
      "an archive with another checksum",
      { sha256: "0".repeat(64) },
      /^verifying \S+\.tar\.gz: its SHA-256 is [0-9a-f]{64}, but SHA256SUMS lists 0{64}$/,
    ],
    [
      "an archive without the executable",
      { name: "other" },
      /it does not contain codexlb-1\.10\.0-\S+\/codexlb$/,
    ],
    ["an executable that does not run", { program: "/bin/false" }, /the new executable does not run here: ./],
    [
      "an executable that reports another version",
      { program: "/bin/echo" },
      /the new executable reports the version "[^"]*", not 1\.10\.0$/,
    ],
  ];
  test.each(broken)("for %s", async (_, release, message) => {
    addRelease(directory, { version: NEWER, ...release });
    const error = await refusal(upgradeExecutable(options(), tools()));
    expect([error.code, error.message]).toEqual(["upgrade_failed", expect.stringMatching(message)]);
    expect(error.next).toContain("nothing was changed");
    expectInstalled(INSTALLED);
  });

  test("for a file that is not an archive", async () => {
    const name = addRelease(directory, { version: NEWER });
    writeFileSync(join(directory, name), "not gzip");
    const sum = new Bun.CryptoHasher("sha256").update("not gzip").digest("hex");
    writeFileSync(join(directory, "SHA256SUMS"), `${sum}  ${name}\n`);
    const error = await refusal(upgradeExecutable(options(), tools()));
    expect(error.message).toStartWith(`unpacking ${directory}/${name}: `);
    expectInstalled(INSTALLED);
  });

  test("for a release without this machine's target, and lists the targets", async () => {
    addRelease(directory, { version: NEWER, target: "linux-other" });
    expect(await refusal(upgradeExecutable(options(), tools()))).toMatchObject({
      code: "upgrade_failed",
      message: `${directory} has no archive for ${targetOf(thisMachine())}`,
      next: "it has archives for linux-other; build one for this machine with: make build",
    });
  });

  test.each(["", "junk\n", `${"0".repeat(64)}  ../../codexlb-9.9.9-linux-x64.tar.gz\n`])(
    "for a SHA256SUMS without an archive: %j",
    async (sums) => {
      writeFileSync(join(directory, "SHA256SUMS"), sums);
      expect(await refusal(upgradeExecutable(options(), tools()))).toMatchObject({
        next: "check --from: its SHA256SUMS lists no codexlb archive",
      });
    },
  );

  test("for files that are too large", async () => {
    const name = addRelease(directory, { version: NEWER });
    truncateSync(join(directory, name), 256 * MIB + 1);
    expect((await refusal(upgradeExecutable(options(), tools()))).message).toBe(
      `reading ${join(directory, name)}: the file is larger than 256 MiB`,
    );
    truncateSync(join(directory, "SHA256SUMS"), MIB + 1);
    expect((await refusal(upgradeExecutable(options(), tools()))).message).toBe(
      `reading ${join(directory, "SHA256SUMS")}: the file is larger than 1 MiB`,
    );
    expectInstalled(INSTALLED);
  });

  test("for a file instead of a directory, and for an executable in another format", async () => {
    const file = join(temp.path, "file");
    writeFileSync(file, "");
    expect((await refusal(upgradeExecutable(options(file), tools()))).message).toBe(
      `reading ${join(file, "SHA256SUMS")}: not a directory`,
    );
    const alien = join(temp.path, "alien");
    writeFileSync(alien, "\x7fELF and nothing else", { mode: 0o755 });
    addRelease(directory, { version: NEWER, program: alien });
    expect((await refusal(upgradeExecutable(options(), tools()))).message).toBe(
      `replacing ${executable}: the new executable does not run here: it is not an executable for this machine`,
    );
    expectInstalled(INSTALLED);
  });

  test("for a directory without a release", async () => {
    const error = await refusal(upgradeExecutable(options(join(temp.path, "nowhere")), tools()));
    expect(error.message).toBe(`reading ${join(temp.path, "nowhere", "SHA256SUMS")}: no such file`);
    expect(error.next).toBe(
      "check --from: it must be a directory or URL with a release's SHA256SUMS and archives",
    );
  });
});

describe("an upgrade does not replace an executable of a package manager:", () => {
  test.each([
    ["Homebrew", "opt/Cellar/codexlb/1.2.3/bin", "brew upgrade codexlb"],
    ["npm", "lib/node_modules/@codexlb/linux-x64/bin", "npm install --global codexlb@latest"],
    ["bun", ".bun/install/global/node_modules/codexlb/bin", "bun add --global codexlb@latest"],
    ["pnpm", "share/pnpm/global/5/node_modules/codexlb/bin", "pnpm add --global codexlb@latest"],
    ["npx", ".npm/_npx/5f3c/node_modules/@codexlb/linux-x64/bin", "npx codexlb@latest"],
    ["yarn", "yarn/global/node_modules/@codexlb/linux-x64/bin", "yarn global add codexlb@latest"],
    ["Nix", "nix/store/abc-codexlb-1.2.3/bin", "nix profile upgrade codexlb"],
  ])("%s, by its directory", async (name, below, command) => {
    addRelease(directory, { version: NEWER });
    const owned = join(temp.path, below, "codexlb");
    mkdirSync(join(temp.path, below), { recursive: true });
    writeFileSync(owned, versionScript(INSTALLED), { mode: 0o755 });
    const link = join(temp.path, "linked");
    symlinkSync(owned, link);
    expect(await refusal(upgradeExecutable(options(directory, { executable: link }), tools()))).toMatchObject(
      {
        code: "upgrade_refused",
        message: `${owned} was installed by ${name}`,
        next: `upgrade it with: ${command}`,
      },
    );
    expect(readFileSync(owned, "utf8")).toBe(versionScript(INSTALLED));
  });

  test.each([
    ["npm", "node_modules/@codexlb/linux-x64/bin", "npm install --prefix"],
    ["pnpm", "node_modules/.pnpm/@codexlb+linux-x64@1.2.3/node_modules/x/bin", "pnpm --dir"],
  ])("%s in a project, with a command for that project", async (name, below, command) => {
    const project = join(temp.path, "a project");
    const path = join(project, below, "codexlb");
    const words = name === "npm" ? " codexlb@latest" : " add codexlb@latest";
    expect(await packageOwner(path, NEWER, tools().run)).toEqual({
      name,
      command: `${command} '${project}'${words}`,
    });
  });

  test.each([
    ["dpkg", "dpkg-query --search", `sudo apt install ./codexlb_${NEWER}_${isArm ? "arm64" : "amd64"}.deb`],
    [
      "rpm",
      "rpm --query --file",
      `sudo dnf install ./codexlb-${NEWER}-1.${isArm ? "aarch64" : "x86_64"}.rpm`,
    ],
  ])("%s, by its database", async (name, query, command) => {
    addRelease(directory, { version: NEWER });
    const fake = join(temp.path, "fake");
    mkdirSync(fake);
    const [program = ""] = query.split(" ");
    writeFileSync(
      join(fake, program),
      `#!/bin/sh\n[ "$*" = "${query.split(" ").slice(1).join(" ")} ${executable}" ]\n`,
      { mode: 0o755 },
    );
    expect(await refusal(upgradeExecutable(options(), tools(`${fake}:/usr/bin:/bin`)))).toMatchObject({
      message: `${executable} was installed by ${name}`,
      next: `upgrade it with: ${command}`,
    });
    expectInstalled(INSTALLED);
  });
});

describe("from a URL", () => {
  /** Serves `directory` below /download, and redirects there from /latest. */
  function serve(redirect?: string) {
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      development: false,
      fetch: async (request) => {
        const { pathname, origin } = new URL(request.url);
        const name = pathname.split("/").at(-1) ?? "";
        if (pathname.startsWith("/latest/"))
          return Response.redirect(redirect ?? `${origin}/download/${name}`, 302);
        const file = Bun.file(join(directory, name));
        return (await file.exists()) ? new Response(file) : new Response("no", { status: 404 });
      },
    });
    return { url: server.url.origin, [Symbol.asyncDispose]: () => server.stop(true) };
  }

  test.each(["download", "download/", "latest"])("a release below /%s is installed", async (path) => {
    addRelease(directory, { version: NEWER });
    await using server = serve();
    (await upgradeExecutable(options(`${server.url}/${path}`), tools()))?.replacement.keep();
    expectInstalled(NEWER);
  });

  test("an archive with another checksum is refused", async () => {
    addRelease(directory, { version: NEWER, sha256: "0".repeat(64) });
    await using server = serve();
    const error = await refusal(upgradeExecutable(options(`${server.url}/download`), tools()));
    expect(error.message).toContain("but SHA256SUMS lists 000");
    expectInstalled(INSTALLED);
  });

  test("a file that is too large is refused", async () => {
    writeFileSync(join(directory, "SHA256SUMS"), Buffer.alloc(MIB + 1));
    await using server = serve();
    expect((await refusal(compareWithRelease(options(`${server.url}/download`)))).message).toBe(
      `reading ${server.url}/download/SHA256SUMS: the file is larger than 1 MiB`,
    );
  });

  test("a missing file, a dead server, endless redirects and a redirect to http are errors", async () => {
    await using server = serve();
    const messageOf = async (from: string) =>
      (await refusal(compareWithRelease(options(from)))).message.replaceAll(server.url, "URL");
    expect(await messageOf(`${server.url}/download`)).toBe(
      "reading URL/download/SHA256SUMS: the server returned status 404",
    );
    const dead = serve();
    await dead[Symbol.asyncDispose]();
    expect(await messageOf(dead.url)).toStartWith(`reading ${dead.url}/SHA256SUMS: `);
    await using circle = serve("/latest/SHA256SUMS");
    expect(await messageOf(`${circle.url}/latest`)).toEndWith(": too many redirects");
    await using away = serve("http://files.example/SHA256SUMS");
    expect(await messageOf(`${away.url}/latest`)).toEndWith(
      "/SHA256SUMS: the server redirects to http://files.example/SHA256SUMS, which is not https",
    );
  });

  test("a password in the URL is not printed, and a query follows the file name", async () => {
    await using server = serve();
    const { host } = new URL(server.url);
    const error = await refusal(compareWithRelease(options(`http://alice:secret@${host}/download/?token=1`)));
    expect(error.message).toBe(
      `reading http://[redacted]@${host}/download/SHA256SUMS?token=1: the server returned status 404`,
    );
    addRelease(directory, { version: NEWER, target: "linux-other" });
    const missing = await refusal(compareWithRelease(options(`http://alice:secret@${host}/download`)));
    expect(missing.message).toStartWith(`http://[redacted]@${host}/download has no archive for `);
    expect(() => releaseSource("http://alice:secret@releases.example/1", { env: {} })).toThrow(
      '--from: "http://[redacted]@releases.example/1" is not an https URL',
    );
  });

  test("the error names an invalid variable", () => {
    expect(() => releaseSource("ftp://x", { env: {} }, { by: "CODEXLB_RELEASE" })).toThrow(
      'CODEXLB_RELEASE: "ftp://x" is not an https URL',
    );
  });

  test.each(["http://releases.example/1", "ftp://releases.example/1", "https://"])(
    "%s is refused, because a checksum from an unsafe source proves nothing",
    (from) => {
      expect(() => releaseSource(from, { env: {} })).toThrow("is not an https URL");
    },
  );
});

describe("time limits", () => {
  test("an executable that does not report its version is refused and killed", async () => {
    const silent = join(temp.path, "silent");
    const held = join(temp.path, "held");
    Bun.spawnSync(["mkfifo", held]);
    // The second process keeps the output open as well.
    writeFileSync(silent, `#!/bin/sh\nexec 3>'${held}'\ntail -f /dev/null\n`, { mode: 0o755 });
    const holders = Bun.spawn(["cat", held]);
    addRelease(directory, { version: NEWER, program: silent });
    const limits: unknown[] = [];
    const { run } = tools();
    const hasty: typeof run = (argv, limit) => {
      if (limit === undefined) return run(argv);
      limits.push(limit.timeoutMs);
      return run(argv, { timeoutMs: 300 });
    };
    expect(await refusal(upgradeExecutable(options(), { run: hasty, random }))).toMatchObject({
      code: "upgrade_failed",
      message: `replacing ${executable}: the new executable does not run here: no result within 0.3 s`,
    });
    expect(limits).toEqual([20_000]);
    // Exits when no process has the file open.
    await holders.exited;
    expectInstalled(INSTALLED);
  });

  /** A server that sends `text` for every connection and then nothing. */
  function stalling(text: string) {
    const server = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { open: (socket) => void socket.write(text), data: () => {} },
    });
    return { url: `http://127.0.0.1:${server.port}`, [Symbol.dispose]: () => server.stop(true) };
  }

  test.each([
    "",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
  ])("a server that stops sending is abandoned: %j", async (text) => {
    using server = stalling(text);
    const source = releaseSource(server.url, { env: {} }, { idleMs: 100 });
    expect(await refusal(compareWithRelease(options("", { source })))).toMatchObject({
      code: "upgrade_failed",
      message: `reading ${server.url}/SHA256SUMS: the server sent nothing for 0.1 s`,
    });
  });

  test("an aborted signal ends a download", async () => {
    using server = stalling("");
    const source = releaseSource(server.url, { env: {} }, { signal: AbortSignal.abort() });
    expect((await refusal(compareWithRelease(options("", { source })))).code).toBe("upgrade_failed");
  });
});

test("an upgrade removes the files of killed upgrades, and keeps those of a running one", async () => {
  const exited = Bun.spawnSync(["true"]).pid;
  const left = [`.codexlb.${exited}.0123abcd.new`, `.codexlb.${exited}.0123abcd.previous`];
  const kept = [`.codexlb.${process.pid}.0123abcd.new`, ".codexlb.notes", ".other.1.0123abcd.new"];
  const bin = join(temp.path, "bin");
  for (const version of [INSTALLED, NEWER]) {
    for (const name of [...left, ...kept]) writeFileSync(join(bin, name), "");
    const release = join(temp.path, version);
    mkdirSync(release);
    addRelease(release, { version });
    (await upgradeExecutable(options(release), tools()))?.replacement.keep();
    expect(readdirSync(bin).sort()).toEqual([...kept, "codexlb"].sort());
  }
});

describe("the target", () => {
  test.each([
    ["linux-x64", { platform: "linux", arch: "x64", isMusl: false, hasAvx2: true }],
    ["linux-x64-baseline", { platform: "linux", arch: "x64", isMusl: false, hasAvx2: false }],
    ["linux-x64-musl", { platform: "linux", arch: "x64", isMusl: true, hasAvx2: false }],
    ["linux-arm64", { platform: "linux", arch: "arm64", isMusl: false, hasAvx2: false }],
    ["linux-arm64-musl", { platform: "linux", arch: "arm64", isMusl: true, hasAvx2: false }],
    ["darwin-x64", { platform: "darwin", arch: "x64", isMusl: false, hasAvx2: false }],
    ["darwin-arm64", { platform: "darwin", arch: "arm64", isMusl: false, hasAvx2: false }],
  ])("is %s for %j", (target, machine) => {
    expect(targetOf(machine)).toBe(target);
  });
});
