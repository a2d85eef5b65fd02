// Tests install.sh in every common POSIX shell, with a mirror on loopback.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { writeChecksums } from "../../scripts/release/checksums.ts";
import { REPOSITORY } from "../../scripts/release/home.ts";
import { executable } from "../support/executable.ts";
import { ACCESSORIES, INSTALLER, installed, machine, SHELLS, spawned } from "../support/install-machine.ts";
import {
  EXECUTABLE_VERSION,
  executableRelease,
  hasExecutable,
  releaseTree,
} from "../support/release-tree.ts";
import { tempDirectory } from "../support/temp.ts";

let tree: Awaited<ReturnType<typeof releaseTree>>;
beforeAll(async () => {
  tree = await releaseTree();
});
afterAll(() => tree[Symbol.dispose]());

/** Serves `directory`. `replaced` contains other bodies for some files; undefined gives a 404. */
function mirror(directory: string, replaced: Record<string, string | undefined> = {}) {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const name = new URL(request.url).pathname.slice(1);
      if (name in replaced) {
        const body = replaced[name];
        return body === undefined ? new Response("", { status: 404 }) : new Response(body);
      }
      const file = Bun.file(join(directory, name));
      return (await file.exists()) ? new Response(file) : new Response("", { status: 404 });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/`,
    [Symbol.asyncDispose]: async () => server.stop(true),
  };
}

const TARBALL = "codexlb-1.2.3-linux-x64.tar.gz";
/** Installs an older version. The returned function checks that it is still there and unchanged. */
function withOlder(home: string): () => void {
  mkdirSync(join(home, ".local", "bin"), { recursive: true });
  writeFileSync(installed(home), "older", { mode: 0o755 });
  return () => {
    expect(readFileSync(installed(home), "utf8")).toBe("older");
    expect(readdirSync(join(home, ".local", "bin"))).toEqual(["codexlb"]);
    expect(existsSync(join(home, ".local", "share"))).toBe(false);
  };
}

describe.each(SHELLS.map((argv) => ({ name: argv.join(" "), argv })))("install.sh in $name", ({ argv }) => {
  test("installs the executable, the man page and the completions for the user", async () => {
    using box = machine(argv);
    await using site = mirror(tree.directory);
    const ran = await box.install(["--from", site.url]);
    expect([ran.code, ran.err]).toEqual([0, ""]);
    expect(ran.out).toContain("installing codexlb 1.2.3 for linux-x64\n");
    expect((await spawned([installed(box.home), "--version"], { cwd: box.path, env: {} })).out).toBe(
      "codexlb 1.2.3 (linux-x64)\n",
    );
    expect(statSync(installed(box.home)).mode & 0o777).toBe(0o755);
    for (const file of ACCESSORIES)
      expect([file, statSync(join(box.home, ".local", "share", file)).mode & 0o777]).toEqual([file, 0o644]);
    expect(readdirSync(join(box.home, ".local", "bin"))).toEqual(["codexlb"]);
  });

  test("installs a release from a directory without curl and wget", async () => {
    using box = machine(argv);
    box.remove("curl", "wget");
    const ran = await box.install(["--from", tree.directory, "--bin-dir", "some bin", "--version", "v1.2.3"]);
    expect([ran.code, ran.err]).toEqual([0, ""]);
    expect(existsSync(join(box.path, "some bin", "codexlb"))).toBe(true);
  });

  test("refuses a tarball with another checksum and keeps the older version", async () => {
    using box = machine(argv);
    const check = withOlder(box.home);
    await using site = mirror(tree.directory, { [TARBALL]: "something else" });
    const ran = await box.install(["--from", site.url]);
    expect(ran.code).toBe(1);
    expect(ran.err).toContain(`verifying ${TARBALL} failed: its SHA-256 is`);
    expect(ran.err).toContain("nothing was changed");
    check();
  });

  test("reports a file that the mirror lacks and keeps the older version", async () => {
    for (const name of ["SHA256SUMS", TARBALL]) {
      using box = machine(argv);
      const check = withOlder(box.home);
      await using site = mirror(tree.directory, { [name]: undefined });
      const ran = await box.install(["--from", site.url]);
      expect(ran.code).toBe(1);
      expect(ran.err).toContain(`downloading ${site.url}${name} failed`);
      check();
    }
  });

  test("reports a version that the release does not have", async () => {
    using box = machine(argv);
    const ran = await box.install(["--from", tree.directory, "--version", "9.9.9"]);
    expect(ran.code).toBe(1);
    expect(ran.err).toContain("does not list codexlb-9.9.9-linux-x64.tar.gz");
  });

  test("downloads with curl or with wget, and asks for one of them if both are missing", async () => {
    await using site = mirror(tree.directory);
    for (const [absent, code] of [
      [["wget"], 0],
      [["curl"], 0],
      [["curl", "wget"], 1],
    ] as const) {
      using box = machine(argv);
      box.remove(...absent);
      // A busybox that prefers its own commands has wget regardless of PATH.
      const ownWget = argv[0] === "busybox" && (await hasOwnWget());
      const ran = await box.install(["--from", site.url]);
      expect([absent, ran.code]).toEqual([absent, ownWget ? 0 : code]);
      if (ran.code === 1) expect(ran.err).toContain("needs curl or wget, and neither is on PATH");
    }
  });

  test("reports a directory that the user cannot write to", async () => {
    using box = machine(argv);
    chmodSync(box.path, 0o755);
    const locked = join(box.path, "locked");
    mkdirSync(locked, { mode: 0o555 });
    // Run as another user, because root can write anywhere.
    const asUser = process.getuid?.() === 0 ? [Bun.which("setpriv") ?? "", ...UNPRIVILEGED] : [];
    const [program = "", ...flags] = argv;
    // Pass the script on standard input, because that user may be unable to read the repository.
    const ran = await spawned(
      [
        ...asUser,
        Bun.which(program) ?? "",
        ...flags,
        "-s",
        "--",
        "--from",
        tree.directory,
        "--bin-dir",
        locked,
      ],
      {
        cwd: "/",
        env: { PATH: join(box.path, "bin"), HOME: box.home },
        stdin: new Blob([readFileSync(INSTALLER)]),
      },
    );
    expect(ran.code).toBe(1);
    expect(ran.err).toContain(`writing to ${locked} failed`);
    expect(readdirSync(locked)).toEqual([]);
  });

  test("warns about another codexlb that the shell finds first", async () => {
    using box = machine(argv);
    box.stub("codexlb", "echo other");
    const ran = await box.install(["--from", tree.directory]);
    expect([ran.code, ran.err]).toEqual([
      0,
      `warning: the shell finds ${join(box.path, "bin", "codexlb")} first; remove it, or put ${join(box.home, ".local", "bin")} before it on PATH\n`,
    ]);
  });

  test("picks the target by system, processor, libc and AVX2", async () => {
    const uname = (system: string, cpu: string) =>
      `if [ "$1" = -s ]; then echo ${system}; else echo ${cpu}; fi`;
    for (const [system, cpu, stubs, target] of [
      ["Linux", "x86_64", {}, "linux-x64"],
      ["Linux", "x86_64", { grep: "exit 1" }, "linux-x64-baseline"],
      ["Linux", "x86_64", { ldd: "echo 'musl libc (x86_64)' >&2; exit 1" }, "linux-x64-musl"],
      ["Linux", "aarch64", {}, "linux-arm64"],
      ["Linux", "aarch64", { ldd: "echo 'musl libc (aarch64)' >&2; exit 1" }, "linux-arm64-musl"],
      ["Darwin", "arm64", {}, "darwin-arm64"],
      ["Darwin", "x86_64", {}, "darwin-x64"],
      ["Darwin", "x86_64", { sysctl: "echo 1" }, "darwin-arm64"],
    ] as const) {
      using box = machine(argv);
      box.stub("uname", uname(system, cpu));
      for (const [name, script] of Object.entries(stubs)) box.stub(name, script);
      const ran = await box.install(["--from", tree.directory]);
      expect([ran.code, ran.out.split("\n")[0]]).toEqual([0, `installing codexlb 1.2.3 for ${target}`]);
    }
  });

  test("prints why there is no build for a machine", async () => {
    for (const [stubs, message] of [
      [{ uname: "if [ $1 = -s ]; then echo MINGW64_NT; else echo x86_64; fi" }, "no build for MINGW64_NT"],
      [
        { uname: "if [ $1 = -s ]; then echo Linux; else echo riscv64; fi" },
        "no build for the processor riscv64",
      ],
      [{ getconf: "echo 32" }, "32-bit system"],
      [{ grep: "exit 1", ldd: "echo musl" }, "this processor has no AVX2, which the build for musl needs"],
    ] as const) {
      using box = machine(argv);
      for (const [name, script] of Object.entries(stubs)) box.stub(name, script);
      const ran = await box.install(["--from", tree.directory]);
      expect([ran.code, ran.err.includes(message)]).toEqual([1, true]);
      expect(existsSync(join(box.home, ".local"))).toBe(false);
    }
  });

  test("changes nothing if the new executable does not run", async () => {
    using broken = await releaseTree({
      targets: ["linux-x64"],
      programs: { "linux-x64": Bun.which("false") ?? "" },
    });
    using box = machine(argv);
    const check = withOlder(box.home);
    const ran = await box.install(["--from", broken.directory]);
    expect([ran.code, ran.err.includes("does not run on this machine")]).toEqual([1, true]);
    check();
  });

  test("blames the file system if it does not allow programs to run", async () => {
    using temp = tempDirectory();
    // A shell exits with this status for a file that it may not run.
    const program = join(temp.path, "program");
    writeFileSync(program, "#!/bin/sh\nexit 126\n");
    using tree = await releaseTree({ targets: ["linux-x64"], programs: { "linux-x64": program } });
    using box = machine(argv);
    const ran = await box.install(["--from", tree.directory]);
    expect([ran.code, ran.err.includes("is not on a file system that is mounted with noexec")]).toEqual([
      1,
      true,
    ]);
  });

  test("prints one line of the reason why the new executable does not run", async () => {
    using temp = tempDirectory();
    const program = join(temp.path, "program");
    writeFileSync(program, "#!/bin/sh\necho first >&2\necho second >&2\nexit 127\n");
    using tree = await releaseTree({ targets: ["linux-x64"], programs: { "linux-x64": program } });
    using box = machine(argv);
    const ran = await box.install(["--from", tree.directory]);
    expect(ran.err).toBe(
      "install.sh: codexlb for linux-x64 does not run on this machine: first\n" +
        "  nothing was changed; please report this\n",
    );
  });

  // busybox runs its own programs even if they are not on PATH.
  test.skipIf(argv[0] === "busybox")("names the program that it needs and does not find", async () => {
    for (const [program, message] of [
      ["tar", "installing needs tar, which is not on PATH\n  install tar\n"],
      ["mktemp", "installing needs mktemp, which is not on PATH\n  install mktemp\n"],
      ["gzip", `unpacking ${TARBALL} failed\n  install gzip; nothing was changed\n`],
    ] as const) {
      using box = machine(argv);
      box.remove(program);
      const ran = await box.install(["--from", tree.directory]);
      expect(ran.code).toBe(1);
      expect(ran.err).toEndWith(`install.sh: ${message}`);
      expect(existsSync(installed(box.home))).toBe(false);
    }
  });

  test("prints why copying a file of the release failed", async () => {
    using box = machine(argv);
    box.stub("cp", "echo 'cp: No space left on device' >&2; exit 1");
    const ran = await box.install(["--from", tree.directory]);
    expect(ran.code).toBe(1);
    expect(ran.err).toStartWith(
      `install.sh: copying ${join(tree.directory, "SHA256SUMS")} failed: cp: No space left on device\n`,
    );
  });

  test("accepts SHA256SUMS with the line ends of Windows", async () => {
    const sums = readFileSync(join(tree.directory, "SHA256SUMS"), "utf8").replaceAll("\n", "\r\n");
    for (const args of [[], ["--version", "1.2.3"]]) {
      using box = machine(argv);
      await using site = mirror(tree.directory, { SHA256SUMS: sums });
      const ran = await box.install(["--from", site.url, ...args]);
      expect([ran.code, ran.err]).toEqual([0, ""]);
    }
  });

  test("names the library that the build for musl needs", async () => {
    using tree = await releaseTree({
      targets: ["linux-x64-musl"],
      programs: { "linux-x64-musl": Bun.which("false") ?? "" },
    });
    using box = machine(argv);
    box.stub("ldd", "echo musl");
    const ran = await box.install(["--from", tree.directory]);
    expect([ran.code, ran.err.includes("install libstdc++ (Alpine: apk add libstdc++)")]).toEqual([1, true]);
  });

  test("asks for a version if the mirror contains several", async () => {
    using two = await releaseTree({ version: "2.0.0", targets: ["linux-x64"] });
    const name = "codexlb-1.2.3-linux-x64.tar.gz";
    writeFileSync(join(two.directory, name), readFileSync(join(tree.directory, name)));
    writeChecksums(two.directory);
    using box = machine(argv);
    const ran = await box.install(["--from", two.directory]);
    expect([ran.code, ran.err.includes("choose one with --version X.Y.Z")]).toEqual([1, true]);
    const chosen = await box.install(["--from", two.directory, "--version", "2.0.0"]);
    expect([chosen.code, chosen.out.split("\n")[0]]).toEqual([0, "installing codexlb 2.0.0 for linux-x64"]);
  });

  test("does not change a package manager's copy and prints that manager's commands", async () => {
    for (const [place, stubs, owner, command] of [
      ["Cellar/codexlb/1.0.0/bin/codexlb", {}, "Homebrew", "brew upgrade codexlb"],
      ["lib/node_modules/codexlb/bin/codexlb.cjs", {}, "npm", "npm install -g codexlb@latest"],
      ["usr/bin/codexlb", { "dpkg-query": "exit 0" }, "dpkg", "apt install ./codexlb_VERSION_ARCH.deb"],
      ["usr/bin/codexlb", { rpm: "echo /" }, "rpm", "dnf install ./codexlb-VERSION-1.ARCH.rpm"],
    ] as const) {
      using box = machine(argv);
      for (const [name, script] of Object.entries(stubs)) box.stub(name, script);
      const packaged = join(box.path, place);
      mkdirSync(join(packaged, ".."), { recursive: true });
      writeFileSync(packaged, "packaged", { mode: 0o755 });
      symlinkSync(`../${place}`, join(box.path, "bin", "codexlb"));
      for (const args of [
        [],
        ["--bin-dir", join(box.path, "bin")],
        ["--uninstall", "--bin-dir", join(box.path, "bin")],
      ]) {
        const ran = await box.install(["--from", tree.directory, ...args]);
        expect(ran.code).toBe(1);
        expect(ran.err).toStartWith(`install.sh: ${owner} installed `);
        expect(ran.err).toContain(command);
      }
      expect(readFileSync(join(box.path, "bin", "codexlb"), "utf8")).toBe("packaged");
      expect(existsSync(join(box.home, ".local"))).toBe(false);
    }
  });

  test("does not query rpm on a system without an rpm database", async () => {
    using box = machine(argv);
    box.stub("rpm", `if [ "$1" = --eval ]; then echo "$HOME/.rpmdb"; else touch "$HOME/.rpmdb"; fi`);
    await box.install(["--from", tree.directory]);
    expect((await box.install(["--from", tree.directory])).code).toBe(0);
    expect(readdirSync(box.home)).toEqual([".local"]);
  });

  test("hides the error of an rpm without --eval", async () => {
    using box = machine(argv);
    box.stub("rpm", "echo 'Usage: rpm' >&2; exit 1");
    await box.install(["--from", tree.directory]);
    const ran = await box.install(["--from", tree.directory]);
    expect([ran.code, ran.err]).toEqual([0, ""]);
  });

  test("leaves no files behind if it is interrupted or its output has no reader", async () => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      using box = machine(argv);
      const check = withOlder(box.home);
      const asked = Promise.withResolvers<void>();
      const answer = Promise.withResolvers<Response>();
      const server = Bun.serve({
        port: 0,
        hostname: "127.0.0.1",
        fetch: (request) => {
          if (request.url.endsWith("SHA256SUMS"))
            return new Response(Bun.file(join(tree.directory, "SHA256SUMS")));
          asked.resolve();
          return answer.promise;
        },
      });
      const [program = "", ...flags] = argv;
      const child = Bun.spawn(
        [Bun.which(program) ?? "", ...flags, INSTALLER, "--from", `http://127.0.0.1:${server.port}`],
        { env: { PATH: join(box.path, "bin"), HOME: box.home }, stdout: "ignore", stderr: "ignore" },
      );
      await asked.promise;
      child.kill(signal);
      // A shell handles a signal only after the command that it waits for.
      answer.resolve(new Response("too late", { status: 404 }));
      await child.exited;
      await server.stop(true);
      check();
    }
    using box = machine(argv);
    const [program = "", ...flags] = argv;
    const unread = ["sh", "-c", '"$@" | true', "sh", Bun.which(program) ?? "", ...flags, INSTALLER];
    await spawned([...unread, "--from", tree.directory], {
      cwd: box.path,
      env: { PATH: join(box.path, "bin"), HOME: box.home },
    });
    const left = readdirSync(join(box.home, ".local", "bin")).filter((name) => name !== "codexlb");
    expect(left).toEqual([]);
  });

  test("prints how to restart a proxy that runs the older version", async () => {
    using box = machine(argv);
    withOlder(box.home);
    const ran = await box.install(["--from", tree.directory]);
    expect(ran.out).toContain("A running proxy keeps the old version until you restart it.\n");
    const units = join(box.home, ".config", "systemd", "user");
    mkdirSync(units, { recursive: true });
    writeFileSync(join(units, "codexlb-proxy.service"), `ExecStart="${installed(box.home)}" "proxy"\n`);
    const again = await box.install(["--from", tree.directory]);
    expect(again.out).toContain(
      `The service runs the old version until you restart it: '${installed(box.home)}' service restart\n`,
    );
  });

  test("runs nothing if its own download is incomplete", async () => {
    using box = machine(argv);
    const text = readFileSync(INSTALLER, "utf8");
    const [program = "", ...flags] = argv;
    for (const length of [0.3, 0.6, 0.9, 0.99].map((share) => Math.floor(text.length * share))) {
      await spawned([Bun.which(program) ?? "", ...flags, "-s", "--", "--from", tree.directory], {
        cwd: box.path,
        env: { PATH: join(box.path, "bin"), HOME: box.home },
        stdin: new Blob([text.slice(0, length)]),
      });
      expect(readdirSync(box.home)).toEqual([]);
    }
  });

  test("exits with 2 for a wrong command line", async () => {
    using box = machine(argv);
    for (const args of [["--bogus"], ["--version"], ["--version", "../1"]])
      expect([args, (await box.install(args)).code]).toEqual([args, 2]);
    expect((await box.install(["--help"])).out).toStartWith("usage: install.sh");
  });
});

test.skipIf(!hasExecutable("install.sh beside a running proxy"))(
  "install.sh upgrades while a proxy runs, which keeps the file it was started from",
  async () => {
    using tool = executable();
    const release = await executableRelease();
    using box = machine(["dash"]);
    // The same bytes under another inode represent the older version.
    await using proxy = await tool.start(["proxy", "--listen", "127.0.0.1:0"]);
    const inode = statSync(tool.path).ino;
    const ran = await box.install(["--from", release.directory, "--bin-dir", tool.directory]);
    expect([ran.code, ran.err]).toEqual([0, ""]);
    expect(ran.out).toContain("A running proxy keeps the old version until you restart it.");
    expect(statSync(tool.path).ino).not.toBe(inode);
    const address = /http:\/\/[\d.:]+/.exec(proxy.firstLine)?.[0];
    expect((await fetch(`${address}/healthz`)).status).toBe(200);
    expect((await tool.run(["--version"])).out).toStartWith(`codexlb ${EXECUTABLE_VERSION} `);
    expect((await tool.run(["status", "--json"])).code).toBe(0);
  },
);

test("install.sh and the documentation name the same repository as the other release files", () => {
  const named = (path: string) => {
    const text = readFileSync(join(import.meta.dir, "..", "..", path), "utf8");
    const found = text.matchAll(/(?:github\.com\/|:-|brew install )([\w-]+\/codexlb)\b/g);
    return [...new Set([...found].map(([, name]) => name))];
  };
  for (const path of ["install.sh", "README.md", "docs/install.md"])
    expect([path, named(path)]).toEqual([path, [REPOSITORY]]);
});

const UNPRIVILEGED = ["--reuid=65534", "--regid=65534", "--clear-groups"];

async function hasOwnWget(): Promise<boolean> {
  const { code } = await spawned([Bun.which("busybox") ?? "", "sh", "-c", "command -v wget"], {
    cwd: "/",
    env: { PATH: "/nonexistent" },
  });
  return code === 0;
}
