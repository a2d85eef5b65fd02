// The completions step of `codexlb init`: which file it would change, and that it adds to it once.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { completionsStep } from "../../../src/cli/init/completions-step.ts";
import { runSteps } from "../../../src/cli/init/run-steps.ts";
import { putOnPath } from "../../support/shells.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";
import { openOf, scriptedDialog } from "./scripted-dialog.ts";

let temp: TempDirectory;
let home: string;
let executable: string;
beforeEach(() => {
  temp = tempDirectory();
  home = join(temp.path, "home");
  mkdirSync(home);
  mkdirSync(join(temp.path, "prefix", "bin"), { recursive: true });
  putOnPath(join(temp.path, "prefix", "bin"));
  executable = join(temp.path, "prefix", "bin", "codexlb");
});
afterEach(() => temp[Symbol.dispose]());

const step = (shell: string | undefined, more: Record<string, string> = {}) =>
  completionsStep(
    {
      HOME: home,
      PATH: join(temp.path, "prefix", "bin"),
      ...(shell === undefined ? {} : { SHELL: shell }),
      ...more,
    },
    executable,
  );

async function answer(shell: string, reply: string, more: Record<string, string> = {}): Promise<string> {
  const talk = scriptedDialog([reply]);
  await runSteps([step(shell, more)], talk.dialog, { isAsked: true });
  return talk.text();
}

test("bash: a line is added to ~/.bashrc after a yes, and the step is done the next time", async () => {
  const path = join(home, ".bashrc");
  writeFileSync(path, "alias ll='ls -l'");
  expect(await answer("/bin/bash", "n")).toContain(`Edit ${path}? [y/N] n\n  skipped\n`);
  expect(readFileSync(path, "utf8")).toBe("alias ll='ls -l'");
  expect(await answer("/bin/bash", "y")).toEndWith(`  ✓ bash: ${path}\n`);
  expect(readFileSync(path, "utf8")).toBe("alias ll='ls -l'\neval \"$(codexlb completions bash)\"\n");
  expect(await step("/bin/bash").detect()).toEqual({ kind: "done", detail: `bash: ${path}` });
});

test("Enter and --yes leave the profile alone", async () => {
  const { offer } = openOf(await step("/bin/bash").detect());
  expect([offer.enter, offer.preset]).toEqual(["n", "n"]);
});

test("a profile that is a link stays one", async () => {
  const real = join(temp.path, "dotfiles-bashrc");
  writeFileSync(real, "");
  symlinkSync(real, join(home, ".bashrc"));
  await answer("/bin/bash", "y");
  expect(lstatSync(join(home, ".bashrc")).isSymbolicLink()).toBe(true);
  expect(readFileSync(real, "utf8")).toContain("codexlb completions bash");
});

test("a line in a comment does not count", async () => {
  writeFileSync(join(home, ".bashrc"), '# eval "$(codexlb completions bash)"\n');
  expect((await step("/bin/bash").detect()).kind).toBe("open");
});

test("zsh: the completion system is loaded first, in the .zshrc of ZDOTDIR", async () => {
  const zdotdir = join(temp.path, "zdotdir");
  mkdirSync(zdotdir);
  await answer("/usr/bin/zsh", "y", { ZDOTDIR: zdotdir });
  const text = readFileSync(join(zdotdir, ".zshrc"), "utf8");
  expect(text).toBe(
    '(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }\neval "$(codexlb completions zsh)"\n',
  );
  const zsh = Bun.which("zsh");
  if (zsh === null) return;
  const ran = Bun.spawnSync([zsh, "-ic", "echo $+functions[_codexlb]"], {
    cwd: temp.path,
    env: { HOME: home, ZDOTDIR: zdotdir, PATH: `${join(temp.path, "prefix", "bin")}:/usr/bin:/bin` },
  });
  expect(ran.stdout.toString().trim()).toBe("1");
});

test("fish: the script is written to its directory", async () => {
  const path = join(home, ".config", "fish", "completions", "codexlb.fish");
  expect(await answer("/usr/bin/fish", "y")).toContain(`Write ${path}? [y/N] y\n  ✓ fish: ${path}\n`);
  expect(readFileSync(path, "utf8")).toContain("complete -c codexlb");
});

test("completions of a package are found", async () => {
  const path = join(temp.path, "prefix", "share", "bash-completion", "completions", "codexlb");
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, "");
  expect(await step("/bin/bash").detect()).toEqual({ kind: "done", detail: `bash: ${path}` });
  expect((await step("/usr/bin/zsh").detect()).kind).toBe("open");
});

test.each([
  [undefined, {}, "SHELL is not set"],
  ["/bin/tcsh", {}, "there are no completions to set up for tcsh"],
  ["/bin/bash", { PATH: "/nowhere" }, "codexlb is not on the PATH, and the completions call it"],
])("SHELL %p with %p: nothing is offered, and the set-up is complete without it", async (shell, env, why) => {
  expect(await step(shell, env).detect()).toMatchObject({
    kind: "unavailable",
    detail: why,
    isRequired: false,
  });
});

test("a profile that cannot be written is reported", async () => {
  mkdirSync(join(home, ".bashrc"));
  const talk = scriptedDialog();
  const [end] = await runSteps([step("/bin/bash")], talk.dialog, { isAsked: true });
  expect(end?.kind).toBe("failed");
  expect(talk.text()).toContain(join(home, ".bashrc"));
});
