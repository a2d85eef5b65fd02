// Writes the npm packages of a release: one per target with the executable, and `codexlb` with the launcher that picks
// one of them.

import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RELEASE_TARGETS, type ReleaseTarget } from "../targets.ts";
import { HOME_PAGE, NPM_SCOPE, SUMMARY } from "./home.ts";
import { type Release, releaseTime, unpack } from "./release-directory.ts";
import { writeTarball } from "./tarball.ts";
import { packagingPath } from "./template.ts";

/**
 * Writes `npm/*.tgz` for `npm publish` into the release directory, and returns their names below it. The packages of
 * the targets come first, because `codexlb` depends on them. Throws `file_unusable` when the release lacks a target.
 */
export async function writeNpmPackages(release: Release): Promise<string[]> {
  const work = mkdtempSync(join(tmpdir(), "codexlb-npm-"));
  mkdirSync(join(release.directory, "npm"), { recursive: true });
  try {
    const written: string[] = [];
    for (const target of RELEASE_TARGETS) {
      const unpacked = unpack(release, target, work);
      const write = (name: string, content: Content) => {
        written.push(`npm/${name}`);
        return writePackage(
          join(work, "package"),
          content,
          join(release.directory, "npm", name),
          releaseTime(unpacked),
        );
      };
      await write(`codexlb-${target}-${release.version}.tgz`, {
        manifest: targetManifest(release.version, target),
        files: { "bin/codexlb": join(unpacked, "codexlb"), LICENSE: join(unpacked, "LICENSE") },
        readme: `# ${packageName(target)}\n\nThe executable of [codexlb](${HOME_PAGE}) for ${target}. Install \`codexlb\` instead.\n`,
        executable: "bin/codexlb",
      });
      // Take the launcher's files from the last target, because they are the same for every target.
      if (target === RELEASE_TARGETS.at(-1))
        await write(`codexlb-${release.version}.tgz`, {
          manifest: launcherManifest(release.version),
          files: {
            "bin/codexlb.cjs": packagingPath("npm/codexlb.cjs"),
            "man/codexlb.1": join(unpacked, "man", "codexlb.1"),
            LICENSE: join(unpacked, "LICENSE"),
            "README.md": join(unpacked, "README.md"),
          },
          executable: "bin/codexlb.cjs",
        });
      rmSync(unpacked, { recursive: true });
    }
    return written;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The name of the package that contains the executable for `target`. */
export function packageName(target: ReleaseTarget): string {
  return `${NPM_SCOPE}/${target}`;
}

// --- internal ---

interface Content {
  readonly manifest: Record<string, unknown>;
  /** The path of each source file, by its path inside the package. */
  readonly files: Readonly<Record<string, string>>;
  readonly readme?: string;
  /** The path of the only file with mode 755. */
  readonly executable: string;
}

/** Writes `content` to the directory `top`, and packs that directory into the tarball `out`. */
async function writePackage(top: string, content: Content, out: string, mtime: number): Promise<void> {
  const { manifest, files, readme, executable } = content;
  rmSync(top, { recursive: true, force: true });
  for (const [path, source] of Object.entries(files)) {
    mkdirSync(join(top, path, ".."), { recursive: true });
    copyFileSync(source, join(top, path));
    chmodSync(join(top, path), path === executable ? 0o755 : 0o644);
  }
  if (readme !== undefined) writeFileSync(join(top, "README.md"), readme);
  writeFileSync(join(top, "package.json"), `${JSON.stringify(manifest, undefined, 2)}\n`);
  await writeTarball(out, top, mtime);
}

function commonFields(version: string): Record<string, unknown> {
  return {
    version,
    license: "MIT",
    homepage: HOME_PAGE,
    repository: { type: "git", url: `git+${HOME_PAGE}.git` },
    // npm publishes scoped packages as private by default.
    publishConfig: { access: "public" },
  };
}

function launcherManifest(version: string): Record<string, unknown> {
  return {
    name: "codexlb",
    description: SUMMARY,
    ...commonFields(version),
    bin: { codexlb: "bin/codexlb.cjs" },
    man: ["man/codexlb.1"],
    engines: { node: ">=18" },
    optionalDependencies: Object.fromEntries(RELEASE_TARGETS.map((target) => [packageName(target), version])),
  };
}

function targetManifest(version: string, target: ReleaseTarget): Record<string, unknown> {
  const [os = "", cpu = "", variant] = target.split("-");
  return {
    name: packageName(target),
    description: `The codexlb executable for ${target}`,
    ...commonFields(version),
    os: [os],
    cpu: [cpu],
    // npm cannot choose by processor features, so on x64 it installs both the build with AVX2 and the one without.
    ...(os === "linux" ? { libc: [variant === "musl" ? "musl" : "glibc"] } : {}),
    // Yarn keeps packages zipped, but must unpack this one to run its executable.
    preferUnplugged: true,
  };
}
