import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { throughLoginShell } from "../../src/codex/login-shell.ts";
import { type TempDirectory, tempDirectory } from "../support/temp.ts";

let temp: TempDirectory;
beforeAll(() => {
  temp = tempDirectory();
});
afterAll(() => temp[Symbol.dispose]());

/** What shells read in different ways, and what must not be carried out. */
const wordsFor = (evil: string) => [
  ...["a b", "c'd", '"', "$HOME", "`x`", "new\nline", "", "é", "*", "~", "-n", "--", "\\", "a\\'b", "c\\\\d"],
  ...[`x\\'$(touch ${evil})" \\'`, "a\\", `(touch ${evil})`, "\\", `; touch ${evil}; #`, "%s", "!!", "{a,b}"],
];

interface Ran {
  readonly out: string;
  readonly err: string;
  readonly code: number;
}

/** Runs `binary` as Codex with the profile of `shell`; `env` extends a minimal environment. */
async function runThrough(
  shell: string,
  command: {
    binary: string;
    args?: readonly string[];
    env?: Record<string, string>;
    directHosts?: readonly string[];
  },
  env: Record<string, string>,
  stdin = "",
): Promise<Ran> {
  const options = { shell, command: { args: [], env: {}, directHosts: [], ...command } };
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dir, "run-driver.ts"), JSON.stringify(options)],
    {
      cwd: temp.path,
      env: { PATH: process.env.PATH ?? "", ...env },
      stdin: Buffer.from(stdin),
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { out, err, code };
}

const SHELLS: readonly [shell: string, profile: string, set: (name: string, value: string) => string][] = [
  ["sh", ".profile", (name, value) => `export ${name}=${value}`],
  ["bash", ".bash_profile", (name, value) => `export ${name}=${value}`],
  ["zsh", ".zprofile", (name, value) => `export ${name}=${value}`],
  ["dash", ".profile", (name, value) => `export ${name}=${value}`],
  ["fish", ".config/fish/config.fish", (name, value) => `set -gx ${name} ${value}`],
];

const PROXIED: readonly [has: string, profile: Record<string, string>, both: string][] = [
  ["nothing", {}, "127.0.0.1,localhost,::1"],
  ["NO_PROXY", { NO_PROXY: ".corp" }, ".corp,127.0.0.1,localhost,::1"],
  ["no_proxy", { no_proxy: ".corp" }, ".corp,127.0.0.1,localhost,::1"],
  ["both alike", { NO_PROXY: "a,b", no_proxy: "a,b" }, "a,b,127.0.0.1,localhost,::1"],
  ["both differently", { NO_PROXY: "a", no_proxy: "b" }, "a,b,127.0.0.1,localhost,::1"],
  ["the hosts", { NO_PROXY: "a,127.0.0.1,localhost,::1" }, "a,127.0.0.1,localhost,::1"],
];

describe.each(SHELLS)("the login shell %s", (shell, file, set) => {
  const path = Bun.which(shell);
  if (path === null) console.log(`skipped: a login shell (there is no ${shell})`);
  /** A HOME whose profile contains `lines`. */
  const homeWith = (name: string, lines: readonly string[]): string => {
    const home = join(temp.path, `${name}-${shell}`);
    mkdirSync(dirname(join(home, file)), { recursive: true });
    writeFileSync(join(home, file), `${lines.join("\n")}\n`);
    return home;
  };

  test.skipIf(path === null)("passes every word on unchanged", async () => {
    const evil = join(temp.path, `evil-${shell}`);
    const words = wordsFor(evil);
    const script = 'for word in "$@"; do printf "%s\\0" "$word"; done';
    const argv = throughLoginShell(path ?? "", ["/bin/sh", "-c", script, "codex", ...words]);
    const child = Bun.spawn(argv, {
      env: { PATH: process.env.PATH ?? "", HOME: temp.path },
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out.split("\0").slice(0, -1)).toEqual(words);
    expect(existsSync(evil)).toBe(false);
  });

  test.skipIf(path === null)("does not affect the words, input and exit code of Codex", async () => {
    const home = homeWith("plain", []);
    const evil = join(temp.path, `evil-run-${shell}`);
    const words = wordsFor(evil);
    const args = ["-c", 'cat; for word in "$@"; do printf "%s\\0" "$word"; done; exit 7', "codex", ...words];
    const ran = await runThrough(path ?? "", { binary: "/bin/sh", args }, { HOME: home }, "typed\n");
    expect(ran).toEqual({ out: `typed\n${words.map((word) => `${word}\0`).join("")}`, err: "", code: 7 });
    expect(existsSync(evil)).toBe(false);
  });

  test.skipIf(path === null)("leaves all of the input to Codex if its profile reads", async () => {
    const home = homeWith("reads", ["cat"]);
    const ran = await runThrough(path ?? "", { binary: "/bin/cat" }, { HOME: home }, "the prompt\n");
    expect(ran).toEqual({ out: "the prompt\n", err: "", code: 0 });
  });

  test.skipIf(path === null)("keeps what its profile prints out of the output of Codex", async () => {
    // A background program of the profile keeps its descriptors open, and nothing may wait for it.
    const pid = join(temp.path, `daemon-${shell}`);
    const home = homeWith("noisy", [
      "echo welcome",
      `sh -c 'echo $$ > ${pid}; exec sleep 600' </dev/null >/dev/null 2>&1 &`,
    ]);
    const ran = await runThrough(
      path ?? "",
      { binary: "/bin/sh", args: ["-c", 'echo "{}"; echo why >&2'] },
      { HOME: home },
    );
    const daemon = Number(await Bun.file(pid).text());
    process.kill(daemon);
    expect(ran).toEqual({ out: "{}\n", err: "welcome\nwhy\n", code: 0 });
  });

  test.skipIf(path === null)(
    "finds Codex on the PATH of its profile, or else on the previous one",
    async () => {
      const codex = join(temp.path, "codex");
      writeFileSync(codex, '#!/bin/sh\necho "codex $*"\nexit 7\n', { mode: 0o755 });
      const env = {
        HOME: homeWith("path", [set("PATH", "/usr/bin:/bin")]),
        PATH: `${temp.path}:/usr/bin:/bin`,
      };
      const ran = await runThrough(path ?? "", { binary: "codex", args: ["hi"] }, env);
      expect(ran).toEqual({ out: "codex hi\n", err: "", code: 7 });
    },
  );

  test.skipIf(path === null)("prints no error of its own if Codex is missing", async () => {
    const ran = await runThrough(path ?? "", { binary: "codex-nowhere" }, { HOME: homeWith("none", []) });
    expect(ran).toEqual({ out: "", err: "", code: 127 });
  });

  test.skipIf(path === null)("sets variables, but not those that run sets for Codex", async () => {
    const names = ["CODEX_HOME", "OPENAI_API_KEY", "OTHER", "CODEXLB_CLIENT_KEY", "CODEXLB_CLUSTER_KEY"];
    const home = homeWith("sets", [...names.map((name) => set(name, "profile")), "umask 027", "cd /usr"]);
    const env = {
      CODEX_HOME: "/a 'home' $HOME",
      OPENAI_API_KEY: "placeholder",
      OPENAI_BASE_URL: "http://x",
    };
    const script =
      'for word in "$CODEX_HOME" "$OPENAI_API_KEY" "$OTHER" "$OPENAI_BASE_URL" "$CODEXLB_CLIENT_KEY$CODEXLB_CLUSTER_KEY" "$(umask)" "$(pwd)"; do echo "$word"; done';
    const ran = await runThrough(
      path ?? "",
      { binary: "/bin/sh", args: ["-c", script], env },
      { HOME: home },
    );
    expect(ran.out.split("\n").slice(0, -1)).toEqual([
      env.CODEX_HOME,
      // Set by the user.
      "profile",
      "profile",
      env.OPENAI_BASE_URL,
      // Set only by codexlb.
      "",
      "0027",
      realpathSync("/usr"),
    ]);
    expect(ran.err).toBe("");
  });

  test.skipIf(path === null || shell === "fish")(
    "does not print the environment if its profile uses the descriptor",
    async () => {
      const home = homeWith("taken", ["exec 7>&1", "export SECRET=hidden"]);
      const ran = await runThrough(path ?? "", { binary: "/bin/echo", args: ["hi"] }, { HOME: home });
      expect([ran.out, ran.code]).toEqual(["", 1]);
      expect(ran.err).toContain("before Codex could start");
      expect(ran.err).not.toContain("hidden");
    },
  );
  if (shell === "fish") console.log("skipped: a taken descriptor (fish cannot take one)");

  test.skipIf(path === null).each(PROXIED)(
    "gets the direct hosts added to NO_PROXY when its profile sets %s",
    async (has, profile, both) => {
      const lines = Object.entries(profile).map(([name, value]) => set(name, value));
      const home = homeWith(`no-proxy-${has.replaceAll(" ", "-")}`, lines);
      const args = ["-c", 'echo "$NO_PROXY|$no_proxy"'];
      const command = { binary: "/bin/sh", args, directHosts: ["127.0.0.1", "localhost", "::1"] };
      const ran = await runThrough(path ?? "", command, { HOME: home });
      expect(ran).toEqual({ out: `${both}|${both}\n`, err: "", code: 0 });
    },
  );

  test.skipIf(path === null)("that exits in its profile is reported, and Codex does not start", async () => {
    const home = homeWith("ends", ['exec sh -c "exit 3"']);
    const ran = await runThrough(path ?? "", { binary: "/bin/echo", args: ["hi"] }, { HOME: home });
    expect([ran.out, ran.code]).toEqual(["", 1]);
    expect(ran.err).toContain(`the login shell ${path} exited with code 3 before Codex could start`);
  });
});

test("an unknown shell is not used", () => {
  expect(throughLoginShell("/usr/bin/nu", ["codex"])[0]).toBe("/bin/sh");
});
