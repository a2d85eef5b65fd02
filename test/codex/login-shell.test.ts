import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { noProxyWith } from "../../src/codex/direct-hosts.ts";
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

for (const shell of ["sh", "bash", "zsh", "dash", "fish"]) {
  const path = Bun.which(shell);
  if (path === null) console.log(`skipped: arguments through a login shell (there is no ${shell})`);
  test.skipIf(path === null)(`${shell} gives every word on as it is`, async () => {
    const evil = join(temp.path, `evil-${shell}`);
    const words = wordsFor(evil);
    const args = ["-c", 'for word in "$@"; do printf "%s\\0" "$word"; done', "codex", ...words];
    const argv = throughLoginShell(
      path ?? "",
      { binary: "/bin/sh", args, env: {}, directHosts: [] },
      undefined,
    );
    const env = { PATH: process.env.PATH ?? "", HOME: temp.path };
    const child = Bun.spawn(argv, { env, stdout: "pipe", stderr: "pipe" });
    const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out.split("\0").slice(0, -1)).toEqual(words);
    expect(existsSync(evil)).toBe(false);
  });

  test.skipIf(path === null)(
    `${shell} takes the codex that was found when its profile has none`,
    async () => {
      const codex = join(temp.path, "codex");
      writeFileSync(codex, '#!/bin/sh\necho "codex $*"\nexit 7\n', { mode: 0o755 });
      const argv = throughLoginShell(
        path ?? "",
        { binary: "codex", args: ["hi"], env: {}, directHosts: [] },
        codex,
      );
      const env = { PATH: "/usr/bin:/bin", HOME: temp.path };
      const child = Bun.spawn(argv, { env, stdout: "pipe", stderr: "pipe" });
      const [out, code] = await Promise.all([child.stdout.text(), child.exited]);
      expect([out, code]).toEqual(["codex hi\n", 7]);
    },
  );
}

const PROFILES: readonly [shell: string, file: string, line: (name: string) => string][] = [
  ["sh", ".profile", (name) => `export ${name}=profile`],
  ["bash", ".bash_profile", (name) => `export ${name}=profile`],
  ["zsh", ".zprofile", (name) => `export ${name}=profile`],
  ["fish", ".config/fish/config.fish", (name) => `set -gx ${name} profile`],
];
for (const [shell, file, line] of PROFILES) {
  const path = Bun.which(shell);
  if (path === null) console.log(`skipped: what a profile sets (there is no ${shell})`);
  test.skipIf(path === null)(
    `${shell} gives on what is set for Codex, whatever its profile sets`,
    async () => {
      const home = join(temp.path, `home-${shell}`);
      mkdirSync(dirname(join(home, file)), { recursive: true });
      const names = ["CODEX_HOME", "OPENAI_API_KEY", "OTHER"];
      writeFileSync(join(home, file), names.map(line).join("\n"));
      const env = {
        CODEX_HOME: "/a 'home' $HOME",
        OPENAI_API_KEY: "placeholder",
        OPENAI_BASE_URL: "http://x",
      };
      const args = [
        "-c",
        'for word in "$CODEX_HOME" "$OPENAI_API_KEY" "$OTHER" "$OPENAI_BASE_URL" "$1"; do echo "$word"; done',
      ];
      const argv = throughLoginShell(
        path ?? "",
        { binary: "/bin/sh", args: [...args, "codex", "hi"], env, directHosts: [] },
        undefined,
      );
      const child = Bun.spawn(argv, {
        env: { ...env, PATH: process.env.PATH ?? "", HOME: home },
        stdout: "pipe",
      });
      expect((await child.stdout.text()).trim().split("\n")).toEqual([
        env.CODEX_HOME,
        // The user's own.
        "profile",
        "profile",
        env.OPENAI_BASE_URL,
        "hi",
      ]);
      expect(await child.exited).toBe(0);
    },
  );
}

test("a shell that is not known to take arguments so is not used", () => {
  expect(
    throughLoginShell("/usr/bin/nu", { binary: "codex", args: [], env: {}, directHosts: [] }, undefined)[0],
  ).toBe("/bin/sh");
});

const PROXIED: readonly [has: string, profile: Record<string, string>, both: string][] = [
  ["nothing", {}, "127.0.0.1,localhost,::1"],
  ["NO_PROXY", { NO_PROXY: ".corp" }, ".corp,127.0.0.1,localhost,::1"],
  ["no_proxy", { no_proxy: ".corp" }, ".corp,127.0.0.1,localhost,::1"],
  ["both alike", { NO_PROXY: "a,b", no_proxy: "a,b" }, "a,b,127.0.0.1,localhost,::1"],
  ["both differently", { NO_PROXY: "a", no_proxy: "b" }, "a,b,127.0.0.1,localhost,::1"],
  ["the hosts", { NO_PROXY: "a,127.0.0.1,localhost,::1" }, "a,127.0.0.1,localhost,::1"],
];
for (const [shell, file] of PROFILES) {
  const path = Bun.which(shell);
  test.skipIf(path === null).each(PROXIED)(
    `${shell} adds the direct hosts to NO_PROXY when its profile sets %s`,
    async (has, profile, both) => {
      const home = join(temp.path, `no-proxy-${shell}-${has.replaceAll(" ", "-")}`);
      mkdirSync(dirname(join(home, file)), { recursive: true });
      const set = shell === "fish" ? (name: string, value: string) => `set -gx ${name} ${value}` : undefined;
      writeFileSync(
        join(home, file),
        Object.entries(profile)
          .map(([name, value]) => set?.(name, value) ?? `export ${name}=${value}`)
          .join("\n"),
      );
      const args = ["-c", 'echo "$NO_PROXY|$no_proxy|$1"', "codex", "hi"];
      const directHosts = ["127.0.0.1", "localhost", "::1"];
      const argv = throughLoginShell(
        path ?? "",
        { binary: "/bin/sh", args, env: {}, directHosts },
        undefined,
      );
      const child = Bun.spawn(argv, { env: { PATH: process.env.PATH ?? "", HOME: home }, stdout: "pipe" });
      expect(await child.stdout.text()).toBe(`${both}|${both}|hi\n`);
      expect(await child.exited).toBe(0);
      expect(noProxyWith(profile, directHosts)).toEqual({ NO_PROXY: both, no_proxy: both });
    },
  );
}
