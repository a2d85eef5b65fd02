// Makes playwright-core fit for a single-file executable. It finds two of its own files by paths that it computes while
// it runs, which no bundler can follow, and would else look for them in the directory that it was built in.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

/** A place that does not exist, in place of the package's: what is looked for there is not needed here. */
const NOWHERE = "/codexlb-has-no-such-directory";

/** What is replaced, and how often it must be there: an upgrade that moves any of it fails the build. */
const PATCHES: readonly { readonly what: RegExp; readonly by: string; readonly times: number }[] = [
  {
    what: /require\(\w+\.default\.join\(packageRoot, "package\.json"\)\)/g,
    by: 'require("../package.json")',
    times: 1,
  },
  {
    what: /require\(\w+\.default\.join\(packageRoot, "browsers\.json"\)\)/g,
    by: 'require("../browsers.json")',
    times: 1,
  },
  {
    what: /packageRoot = \w+\.default\.join\(__dirname, "\.\."\)/g,
    by: `packageRoot = ${JSON.stringify(NOWHERE)}`,
    times: 1,
  },
  { what: /\b__dirname\b/g, by: JSON.stringify(NOWHERE), times: 3 },
  // The bundler would fill in the path of the file on the machine that builds.
  { what: /\b__filename\b/g, by: JSON.stringify(`${NOWHERE}/coreBundle.js`), times: 2 },
];

/**
 * The patched files by their paths, for `files` of `Bun.build`. A plugin could replace them too, but Bun names what a
 * plugin loads by its whole path, which would make the executable differ from one directory to another.
 */
export function playwrightFiles(): Record<string, string> {
  const path = createRequire(import.meta.url).resolve("playwright-core/lib/coreBundle");
  return { [path]: patched(readFileSync(path, "utf8")) };
}

/** Never part of it, or only on platforms and for jobs that are not ours. */
export const PLAYWRIGHT_EXTERNALS = [
  "electron",
  "chromium-bidi/*",
  "kerberos",
  "bufferutil",
  "utf-8-validate",
];

/** `source` with every patch applied. Throws when one does not fit. */
export function patched(source: string): string {
  return PATCHES.reduce((text, { what, by, times }) => {
    const found = text.match(what)?.length ?? 0;
    if (found !== times)
      throw new Error(
        `patching playwright-core: ${what} is there ${found} times and not ${times}; look at what the new version does`,
      );
    return text.replace(what, by);
  }, source);
}
