import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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
    const argv = throughLoginShell(path ?? "", { binary: "/bin/sh", args }, undefined);
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
      const argv = throughLoginShell(path ?? "", { binary: "codex", args: ["hi"] }, codex);
      const env = { PATH: "/usr/bin:/bin", HOME: temp.path };
      const child = Bun.spawn(argv, { env, stdout: "pipe", stderr: "pipe" });
      const [out, code] = await Promise.all([child.stdout.text(), child.exited]);
      expect([out, code]).toEqual(["codex hi\n", 7]);
    },
  );
}

test("a shell that is not known to take arguments so is not used", () => {
  expect(throughLoginShell("/usr/bin/nu", { binary: "codex", args: [] }, undefined)[0]).toBe("/bin/sh");
});
