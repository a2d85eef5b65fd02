import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TempDirectory, tempDirectory } from "../support/temp.ts";

const MODULE = join(import.meta.dir, "..", "..", "src", "cli", "report-error.ts");

let temp: TempDirectory;
beforeAll(() => {
  temp = tempDirectory();
});
afterAll(() => temp[Symbol.dispose]());

async function run(text: string, env: Record<string, string> = {}) {
  const path = join(temp.path, "surprise.ts");
  writeFileSync(path, `import { handleUncaughtErrors } from ${JSON.stringify(MODULE)};\n${text}`);
  const child = Bun.spawn([process.execPath, path], {
    env: { PATH: process.env.PATH ?? "", ...env },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  return { code, out, err };
}

const REPORTED =
  "codexlb: oops\n  this is a bug in codexlb; please report it at https://github.com/gngeorgiev/codexlb/issues, with the output of CODEXLB_DEBUG=1\n";

test.each([
  ["an exception", 'setTimeout(() => { throw new Error("oops"); });'],
  ["a rejection", 'void Promise.reject(new Error("oops"));'],
])("%s ends a command without a stack trace", async (_name, text) => {
  const ran = await run(
    `handleUncaughtErrors(false);\n${text}\nsetTimeout(() => console.log("after"), 60_000);`,
  );
  expect(ran).toEqual({ code: 1, out: "", err: REPORTED });
});

test("CODEXLB_DEBUG=1 shows the stack trace", async () => {
  const ran = await run('handleUncaughtErrors(false);\nvoid Promise.reject(new Error("oops"));', {
    CODEXLB_DEBUG: "1",
  });
  expect(ran.err).toStartWith(REPORTED);
  expect(ran.err).toContain("surprise.ts");
});

test("a proxy reports an unhandled rejection, and keeps serving", async () => {
  const ran = await run(
    'handleUncaughtErrors(true);\nvoid Promise.reject(new Error("oops"));\nsetTimeout(() => console.log("after"));',
  );
  expect(ran).toEqual({ code: 0, out: "after\n", err: REPORTED });
});
