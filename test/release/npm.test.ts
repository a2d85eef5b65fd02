// Tests the npm packages, which npm installs from a registry on loopback, and the launcher on simulated machines.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { packageName, writeNpmPackages } from "../../scripts/release/npm.ts";
import type { Release } from "../../scripts/release/release-directory.ts";
import { RELEASE_TARGETS, type ReleaseTarget } from "../../scripts/targets.ts";
import type { Ran } from "../support/executable.ts";
import { npmRegistry } from "../support/npm-registry.ts";
import {
  EXECUTABLE_VERSION,
  executableRelease,
  hasExecutable,
  releaseTree,
} from "../support/release-tree.ts";
import { tempDirectory } from "../support/temp.ts";

let tree: Awaited<ReturnType<typeof releaseTree>>;
let tarballs: string[];
beforeAll(async () => {
  tree = await releaseTree();
  tarballs = await packed(tree);
});
afterAll(() => tree[Symbol.dispose]());

async function packed(release: Release): Promise<string[]> {
  return (await writeNpmPackages(release)).map((name) => join(release.directory, name));
}

async function run(argv: string[], cwd: string, more: Record<string, string> = {}): Promise<Ran> {
  const child = Bun.spawn(argv, {
    cwd,
    env: { PATH: process.env.PATH ?? "", HOME: cwd, ...more },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, out, err };
}

/** Runs npm without package scripts, and with `registry` as its only registry. */
const npmFlags = (registry: string, home: string) => [
  `--registry=${registry}`,
  `--cache=${join(home, "cache")}`,
  "--ignore-scripts",
  "--no-audit",
  "--no-fund",
  "--no-update-notifier",
];

async function installed(
  prefix: string,
  registry: string,
  more: readonly string[] = [],
): Promise<ReleaseTarget[]> {
  const ran = await run(
    ["npm", "install", "-g", "--prefix", prefix, ...npmFlags(registry, prefix), ...more, "codexlb"],
    prefix,
  );
  expect([ran.code, ran.err]).toEqual([0, ""]);
  const modules = join(prefix, "lib", "node_modules", "codexlb", "node_modules", "@codexlb");
  return existsSync(modules) ? (readdirSync(modules).sort() as ReleaseTarget[]) : [];
}

test("npm installs the executable of this machine, the launcher and the man page", async () => {
  using temp = tempDirectory();
  await using registry = npmRegistry(tarballs);
  const cpu: string = process.arch;
  const targets = await installed(temp.path, registry.url);
  expect(targets.join()).toStartWith(`${process.platform}-${cpu}`);
  const program = join(temp.path, "bin", "codexlb");
  const ran = await run([program, "--version"], temp.path);
  expect([ran.code, ran.out.startsWith("codexlb 1.2.3 (")]).toEqual([0, true]);
  expect(existsSync(join(temp.path, "share", "man", "man1", "codexlb.1"))).toBe(true);
  const owned = join(temp.path, "lib", "node_modules", "codexlb", "node_modules", packageName("linux-x64"));
  if (cpu === "x64") expect(statSync(join(owned, "bin", "codexlb")).mode & 0o777).toBe(0o755);
});

test("npm chooses the packages by system, processor and C library", async () => {
  const machines: [os: string, cpu: string, libc: string, targets: ReleaseTarget[]][] = [
    ["linux", "x64", "glibc", ["linux-x64", "linux-x64-baseline"]],
    ["linux", "x64", "musl", ["linux-x64-musl"]],
    ["linux", "arm64", "glibc", ["linux-arm64"]],
    ["linux", "arm64", "musl", ["linux-arm64-musl"]],
    ["darwin", "x64", "", ["darwin-x64"]],
    ["darwin", "arm64", "", ["darwin-arm64"]],
    ["win32", "x64", "", []],
  ];
  for (const [os, cpu, libc, targets] of machines) {
    using temp = tempDirectory();
    await using registry = npmRegistry(tarballs);
    const flags = [`--os=${os}`, `--cpu=${cpu}`, ...(libc === "" ? [] : [`--libc=${libc}`])];
    expect([os, cpu, libc, await installed(temp.path, registry.url, flags)]).toEqual([
      os,
      cpu,
      libc,
      targets,
    ]);
  }
});

test("npx runs codexlb without installing it first", async () => {
  using temp = tempDirectory();
  await using registry = npmRegistry(tarballs);
  const ran = await run(
    ["npx", "--yes", ...npmFlags(registry.url, temp.path), "--", "codexlb", "--version"],
    temp.path,
  );
  expect(ran).toMatchObject({ code: 0, out: expect.stringMatching(/^codexlb 1\.2\.3 \(/) });
});

test("npm accepts the packages for publication", async () => {
  using temp = tempDirectory();
  await using registry = npmRegistry([]);
  for (const tarball of tarballs) {
    const ran = await run(
      [
        "npm",
        "publish",
        "--dry-run",
        `--registry=${registry.url}`,
        `--cache=${join(temp.path, "cache")}`,
        tarball,
      ],
      temp.path,
    );
    expect([tarball, ran.code, /corrected|invalid/i.test(ran.err)]).toEqual([tarball, 0, false]);
  }
});

test("the packages have the same bytes when they are written again", async () => {
  using again = await releaseTree();
  const digest = (path: string) => Bun.hash(readFileSync(path));
  expect((await packed(again)).map(digest)).toEqual(tarballs.map(digest));
});

test.skipIf(!hasExecutable("the executable in its npm package"))(
  "the real executable runs from its npm package",
  async () => {
    using temp = tempDirectory();
    await using registry = npmRegistry(await packed(await executableRelease()));
    await installed(temp.path, registry.url);
    const program = join(temp.path, "bin", "codexlb");
    const version = await run([program, "--version"], temp.path);
    expect([version.code, version.out.startsWith(`codexlb ${EXECUTABLE_VERSION} (`)]).toEqual([0, true]);
    expect((await run([program, "demo"], temp.path)).code).toBe(0);
  },
);

describe("the launcher", () => {
  interface Place extends Disposable {
    readonly path: string;
    /** Replaces the executable for `target` with a program. */
    program(target: ReleaseTarget, text: string): string;
    run(args: readonly string[], machine?: Partial<Machine>): Promise<Ran>;
    argv(args: readonly string[], machine?: Partial<Machine>): string[];
  }
  /** The machine's properties that the launcher reads from Node.js. */
  interface Machine {
    readonly platform: string;
    readonly arch: string;
    readonly musl: boolean;
    readonly avx2: boolean;
    /** False simulates a Node.js that cannot replace its process. */
    readonly execve: boolean;
  }

  function place(below = "lib/node_modules"): Place {
    const temp = tempDirectory();
    const modules = join(temp.path, below);
    Bun.spawnSync(["mkdir", "-p", join(modules, "codexlb")]);
    const launcher = tarballs.at(-1) ?? "";
    Bun.spawnSync(["tar", "-xzf", launcher, "-C", join(modules, "codexlb"), "--strip-components=1"]);
    const argv = (args: readonly string[], machine: Partial<Machine> = {}) => {
      const { platform = "linux", arch = "x64", musl = false, avx2 = true, execve = true } = machine;
      const preload = join(temp.path, "machine.cjs");
      writeFileSync(
        preload,
        `Object.defineProperty(process, "platform", { value: ${JSON.stringify(platform)} });
Object.defineProperty(process, "arch", { value: ${JSON.stringify(arch)} });
process.report.getReport = () => ({ header: ${musl ? "{}" : '{ glibcVersionRuntime: "2.36" }'} });
const fs = require("node:fs");
const read = fs.readFileSync;
fs.readFileSync = (path, ...rest) => path === "/proc/cpuinfo" ? "flags: sse4_2 ${avx2 ? "avx2" : "avx"}" : read(path, ...rest);
${execve ? "" : "delete process.execve;"}
`,
      );
      return ["node", "--require", preload, join(modules, "codexlb", "bin", "codexlb.cjs"), ...args];
    };
    return {
      path: temp.path,
      program: (target, text) => {
        const path = join(modules, packageName(target), "bin", "codexlb");
        mkdirSync(join(path, ".."), { recursive: true });
        writeFileSync(path, text, { mode: 0o755 });
        return path;
      },
      run: (args, machine) => run(argv(args, machine), temp.path),
      argv,
      [Symbol.dispose]: () => temp[Symbol.dispose](),
    };
  }

  test("picks the package by system, processor, C library and AVX2", async () => {
    using at = place();
    for (const target of RELEASE_TARGETS) at.program(target, `#!/bin/sh\necho ${target} "$@"\n`);
    const machines: readonly [Partial<Machine>, ReleaseTarget][] = [
      [{}, "linux-x64"],
      [{ avx2: false }, "linux-x64-baseline"],
      [{ musl: true }, "linux-x64-musl"],
      [{ arch: "arm64" }, "linux-arm64"],
      [{ arch: "arm64", avx2: false }, "linux-arm64"],
      [{ arch: "arm64", musl: true }, "linux-arm64-musl"],
      [{ platform: "darwin" }, "darwin-x64"],
      [{ platform: "darwin", arch: "arm64" }, "darwin-arm64"],
    ];
    for (const [machine, target] of machines)
      expect([machine, await at.run(["run", "a b"], machine)]).toEqual([
        machine,
        { code: 0, out: `${target} run a b\n`, err: "" },
      ]);
  });

  test("prints what to do on a machine without a build", async () => {
    using at = place();
    for (const [machine, err] of [
      [{ platform: "win32" }, "codexlb: there is no build for win32-x64\n  install it inside WSL\n"],
      [{ platform: "freebsd" }, "codexlb: there is no build for freebsd-x64\n  builds exist for linux-x64, "],
      [{ arch: "riscv64" }, "codexlb: there is no build for linux-riscv64\n  builds exist for linux-x64, "],
      [{ musl: true, avx2: false }, "codexlb: this processor has no AVX2, which the build for musl needs\n"],
    ] as const) {
      const ran = await at.run([], machine);
      expect([ran.code, ran.out, ran.err.slice(0, err.length)]).toEqual([1, "", err]);
    }
  });

  test("prints how to install this machine's package if it is missing", async () => {
    using at = place();
    expect(await at.run([])).toEqual({
      code: 1,
      out: "",
      err: "codexlb: the package @codexlb/linux-x64 is missing; npm installs it together with codexlb\n  run npm install -g codexlb@1.2.3 --include=optional on this machine\n",
    });
  });

  test("advises installing into the project that it is part of", async () => {
    using at = place("it's a project/node_modules");
    expect((await at.run([])).err).toEndWith(
      `\n  run npm install --prefix '${at.path}/it'\\''s a project' codexlb@1.2.3 --include=optional on this machine\n`,
    );
    using cached = place(".npm/_npx/5f3c/node_modules");
    expect((await cached.run([])).err).toEndWith(
      "\n  run npm install -g codexlb@1.2.3 --include=optional on this machine\n",
    );
  });

  test("sets the mode of an executable that lost it", async () => {
    using at = place();
    chmodSync(at.program("linux-x64", "#!/bin/sh\necho fine\n"), 0o644);
    expect((await at.run([])).out).toBe("fine\n");
  });

  const WAYS = [
    { way: "in its place", execve: true },
    { way: "as a child process", execve: false },
  ].filter(({ execve }) => !execve || nodeCanReplaceItself());

  describe.each(WAYS)("that starts the executable $way", ({ execve }) => {
    test("passes arguments, standard input and the exit status", async () => {
      using at = place();
      at.program("linux-x64", '#!/bin/sh\ncat\necho "[$1][$2]" >&2\nexit 7\n');
      const child = Bun.spawn(at.argv(["a b", ""], { execve }), {
        env: { PATH: process.env.PATH ?? "" },
        stdin: new Blob(["from standard input"]),
        stdout: "pipe",
        stderr: "pipe",
      });
      const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
      expect([out, err, code]).toEqual(["from standard input", "[a b][]\n", 7]);
    });

    test("passes signals, and exits by the signal that killed the executable", async () => {
      using at = place();
      at.program(
        "linux-x64",
        `#!/usr/bin/env node
process.on("SIGTERM", () => { console.log("SIGTERM"); process.exit(5); });
for (const name of ["SIGINT", "SIGHUP", "SIGUSR2", "SIGCONT"]) process.on(name, () => console.log(name));
process.on("SIGQUIT", () => { process.removeAllListeners("SIGQUIT"); process.kill(process.pid, "SIGKILL"); });
setInterval(() => {}, 1000);
console.log("ready");
`,
      );
      for (const [last, code, signal] of [
        ["SIGTERM", 5, null],
        ["SIGQUIT", null, "SIGKILL"],
      ] as const) {
        const child = Bun.spawn(at.argv([], { execve }), {
          env: { PATH: process.env.PATH ?? "" },
          stdin: "ignore",
          stdout: "pipe",
          stderr: "pipe",
        });
        const lines = linesOf(child.stdout);
        expect((await lines.next()).value).toBe("ready");
        for (const name of ["SIGINT", "SIGHUP", "SIGUSR2", "SIGCONT"] as const) {
          child.kill(name);
          expect((await lines.next()).value).toBe(name);
        }
        child.kill(last);
        await child.exited;
        expect([child.signalCode === null ? child.exitCode : null, child.signalCode]).toEqual([code, signal]);
      }
    });

    test("passes a Ctrl-C in the terminal to the executable only once", async () => {
      using at = place();
      at.program(
        "linux-x64",
        `#!/usr/bin/env node
let count = 0;
let turns = 0;
const ask = () => process.kill(${execve ? "process.pid" : "process.ppid"}, "SIGUSR2");
process.on("SIGINT", () => { count++; ask(); });
// The launcher may forward two pending signals in either order, so wait for a second SIGUSR2: when it arrives, no
// SIGINT is pending any more.
process.on("SIGUSR2", () => {
  if (turns++ === 0) return ask();
  console.log("count=" + count + ".");
  process.exit(0);
});
setInterval(() => {}, 1000);
console.log("ready");
`,
      );
      let shown = "";
      let look: () => void = () => undefined;
      const terminal = new Bun.Terminal({
        cols: 80,
        rows: 24,
        data: (_terminal, data) => {
          shown += new TextDecoder().decode(data);
          look();
        },
      });
      const until = (text: string) => {
        const { promise, resolve } = Promise.withResolvers<void>();
        look = () => (shown.includes(text) ? resolve() : undefined);
        look();
        return promise;
      };
      // Only a controlling terminal sends signals.
      const child = Bun.spawn(["setsid", "--ctty", "--wait", ...at.argv([], { execve })], {
        env: { PATH: process.env.PATH ?? "", TERM: "xterm" },
        terminal,
      });
      await until("ready");
      terminal.write("\x03");
      await until("count=");
      await child.exited;
      terminal.close();
      expect(shown).toContain("count=1.");
    });
  });
});

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    yield* lines;
  }
}

function nodeCanReplaceItself(): boolean {
  const can = Bun.spawnSync(["node", "-p", "typeof process.execve"]).stdout.toString().trim() === "function";
  if (!can)
    console.log("skipped: the launcher that replaces its process (this Node.js has no process.execve)");
  return can;
}
