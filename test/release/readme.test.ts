// Tests the README that tarballs and packages contain.

import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { HOME_PAGE } from "../../scripts/release/home.ts";
import { releaseReadme } from "../../scripts/release/readme.ts";

const PROJECT = join(import.meta.dir, "..", "..");
const README = releaseReadme("1.2.3");

test("the README of a release links only to the project's pages, and to files of its version", () => {
  const targets = [...README.matchAll(/\]\(([^)]*)\)/g)].map(([, target = ""]) => target);
  expect(targets.length).toBeGreaterThan(5);
  const files = `${HOME_PAGE}/blob/v1.2.3/`;
  for (const target of targets) {
    const leads = target.startsWith(files)
      ? existsSync(join(PROJECT, target.slice(files.length)))
      : [`${HOME_PAGE}#readme`, `${HOME_PAGE}/issues`].includes(target);
    expect([target, leads]).toEqual([target, true]);
  }
});

test("the README of a release has no commands that need the sources", () => {
  expect(README.match(/\bmake \w+|git clone|docs\/\w+\.md`/g)).toBeNull();
});

test("the commands in the README of a release exist", async () => {
  const blocks = [...README.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block = ""]) => block).join("");
  const commands = [...blocks.matchAll(/^codexlb ([a-z]+)/gm)].map(([, word = ""]) => word);
  expect(commands).toContain("demo");
  for (const word of new Set(commands)) {
    const run = Bun.spawn([process.execPath, join(PROJECT, "src/main.ts"), word, "--help"], {
      stdout: "pipe",
    });
    expect([word, await run.exited]).toEqual([word, 0]);
  }
});
