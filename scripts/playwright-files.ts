// Patches playwright-core for a single-file executable. playwright-core finds two of its own files by paths that it
// computes at run time. No bundler can follow them, and the executable would look in the directory of the build.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

/** A path that does not exist. It replaces the paths of packages, where codexlb needs no files. */
export const NOWHERE = "/codexlb-has-no-such-directory";

/** The patches, and how often each text must occur. If an upgrade of playwright-core moves one, the build fails. */
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
  // The bundler would insert the path of the file on the build machine.
  { what: /\b__filename\b/g, by: JSON.stringify(`${NOWHERE}/coreBundle.js`), times: 2 },
];

/**
 * The patched files by path, for `files` of `Bun.build`. A plugin cannot do this: Bun names a file from a plugin by its
 * full path, so the executable would depend on the build directory.
 */
export function playwrightFiles(): Record<string, string> {
  const path = createRequire(import.meta.url).resolve("playwright-core/lib/coreBundle");
  return { [path]: patched(readFileSync(path, "utf8")) };
}

/** Imports that are never bundled, or needed only on platforms and for features that codexlb does not support. */
export const PLAYWRIGHT_EXTERNALS = [
  "electron",
  "chromium-bidi/*",
  "kerberos",
  "bufferutil",
  "utf-8-validate",
];

/** Returns `source` with every patch applied. Throws if a patch does not fit. */
export function patched(source: string): string {
  return PATCHES.reduce((text, { what, by, times }) => {
    const found = text.match(what)?.length ?? 0;
    if (found !== times)
      throw new Error(
        `patching playwright-core: ${what} occurs ${found} times instead of ${times}; adapt the patch to the new version`,
      );
    return text.replace(what, by);
  }, source);
}
