// Runs the scripts of the publishing steps, with stand-ins for npm and gh that record their command lines.

import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { tempDirectory } from "../support/temp.ts";

const WORKFLOW = join(import.meta.dir, "..", "..", ".github", "workflows", "release.yml");
const { jobs } = Bun.YAML.parse(readFileSync(WORKFLOW, "utf8")) as {
  jobs: Record<string, { steps: { name?: string; run?: string; "working-directory"?: string }[] }>;
};

interface Published {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** The command lines that the stand-in recorded. */
  readonly calls: readonly string[];
}

/** Runs the named step of `job` for `tag`, in a directory with `files`. `script` replaces the program `tool`. */
function runStep(options: {
  readonly job: string;
  readonly name: string;
  readonly tag: string;
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  readonly tool: string;
  readonly script?: string;
  readonly env?: Readonly<Record<string, string>>;
}): Published {
  const step = jobs[options.job]?.steps.find(({ name }) => name === options.name);
  if (step?.run === undefined) throw new Error(`${options.job} has no step ${options.name}`);
  using temp = tempDirectory();
  for (const [path, content] of Object.entries(options.files)) {
    mkdirSync(dirname(join(temp.path, path)), { recursive: true });
    writeFileSync(join(temp.path, path), content);
  }
  const calls = join(temp.path, "calls");
  const bin = join(temp.path, "bin");
  mkdirSync(bin);
  const record = `printf '%s' "${options.tool}" >> ${calls}; printf ' %s' "$@" >> ${calls}; echo >> ${calls}`;
  writeFileSync(join(bin, options.tool), `#!/bin/sh\n${record}\n${options.script ?? ""}\n`, { mode: 0o755 });
  const ran = Bun.spawnSync(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step.run], {
    cwd: join(temp.path, step["working-directory"] ?? "."),
    env: { PATH: `${bin}:${process.env.PATH}`, GITHUB_REF_NAME: options.tag, ...options.env },
    stdout: "pipe",
    stderr: "pipe",
  });
  const lines = existsSync(calls) ? readFileSync(calls, "utf8").trim().split("\n") : [];
  return { code: ran.exitCode, out: ran.stdout.toString(), err: ran.stderr.toString(), calls: lines };
}

/** Creates an npm package that contains only its manifest. */
async function npmPackage(name: string, version: string): Promise<Uint8Array> {
  const manifest = JSON.stringify({ name, version });
  return new Bun.Archive({ "package/package.json": manifest }, { compress: "gzip" }).bytes();
}

describe("the step that publishes to npm", () => {
  const publish = async (tag: string, script: string) => {
    const version = tag.slice(1);
    return runStep({
      job: "npm",
      name: "Publish the packages",
      tag,
      tool: "npm",
      script,
      files: {
        [`release/npm/codexlb-${version}.tgz`]: await npmPackage("codexlb", version),
        [`release/npm/codexlb-darwin-arm64-${version}.tgz`]: await npmPackage(
          "@codexlb/darwin-arm64",
          version,
        ),
        [`release/npm/codexlb-linux-x64-${version}.tgz`]: await npmPackage("@codexlb/linux-x64", version),
      },
    });
  };
  const isNew = 'test "$1" != view || exit 1';

  test("publishes the launcher after the packages that it depends on", async () => {
    const { code, calls } = await publish("v1.2.3", isNew);
    expect(code).toBe(0);
    expect(calls.filter((call) => call.startsWith("npm publish"))).toEqual([
      "npm publish ./codexlb-darwin-arm64-1.2.3.tgz --provenance --access public --tag latest",
      "npm publish ./codexlb-linux-x64-1.2.3.tgz --provenance --access public --tag latest",
      "npm publish ./codexlb-1.2.3.tgz --provenance --access public --tag latest",
    ]);
  });

  test("gives a prerelease the tag next instead of latest", async () => {
    const { calls } = await publish("v1.2.3-rc.1", isNew);
    expect(calls.at(-1)).toBe("npm publish ./codexlb-1.2.3-rc.1.tgz --provenance --access public --tag next");
  });

  test("skips packages that an earlier attempt published", async () => {
    const { code, out, calls } = await publish(
      "v1.2.3",
      'case "$1 $2" in "view @codexlb/darwin-arm64@1.2.3") echo 1.2.3 ;; view*) exit 1 ;; esac',
    );
    expect([code, out]).toEqual([0, "@codexlb/darwin-arm64@1.2.3 is already published\n"]);
    expect(calls.filter((call) => call.startsWith("npm publish")).length).toBe(2);
  });

  test("stops if npm refuses a package", async () => {
    const { code, calls } = await publish("v1.2.3", "exit 1");
    expect(code).toBe(1);
    expect(calls.filter((call) => call.startsWith("npm publish")).length).toBe(1);
  });
});

describe("the step that publishes on GitHub", () => {
  test.each([
    ["v1.2.3", ""],
    ["v1.2.3-rc.1", " --prerelease"],
  ])("attaches the files of %s, and no directory", (tag, flag) => {
    const { code, calls } = runStep({
      job: "github",
      name: "Publish the release with all files",
      tag,
      tool: "gh",
      files: { "release/SHA256SUMS": "", "release/npm/codexlb.tgz": "" },
    });
    expect([code, calls]).toEqual([
      0,
      [`gh release create ${tag} --verify-tag --generate-notes${flag} release/SHA256SUMS`],
    ]);
  });
});

describe("the step that publishes to the Homebrew tap", () => {
  const put = (script: string) =>
    runStep({
      job: "homebrew",
      name: "Put the formula into the tap",
      tag: "v1.2.3",
      tool: "gh",
      script,
      files: { "release/codexlb.rb": "class Codexlb" },
      env: { TAP: "owner/homebrew-tap" },
    });
  const change =
    "gh api --method PUT repos/owner/homebrew-tap/contents/Formula/codexlb.rb --silent --raw-field message=codexlb 1.2.3 --raw-field content=Y2xhc3MgQ29kZXhsYg==";

  test("replaces an existing formula", () => {
    const { code, calls } = put('test "$2" = --method || echo 0123abcd');
    expect([code, calls.at(-1)]).toEqual([0, `${change} --raw-field sha=0123abcd`]);
  });

  test("adds the formula to an empty tap", () => {
    const { code, calls } = put('test "$2" = --method || { echo \'{"status":"404"}\'; exit 1; }');
    expect([code, calls.at(-1)]).toEqual([0, change]);
  });
});
