// Builds the deb and rpm packages of a release. They only install files, and have no maintainer scripts.

import { createHash } from "node:crypto";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { CodexlbError } from "../../src/errors.ts";
import type { ReleaseTarget } from "../targets.ts";
import { HOME_PAGE, MAINTAINER, SUMMARY } from "./home.ts";
import { compressed, OLDEST_GLIBC, packageVersion, setModes, writeRoot, writeText } from "./package-root.ts";
import { type Release, releaseTime, unpack } from "./release-directory.ts";
import { fillTemplate, packagingPath } from "./template.ts";

/** A package cannot choose by processor features, so the amd64 package contains the build that needs no AVX2. */
const ARCHITECTURES: readonly { target: ReleaseTarget; deb: string; rpm: string }[] = [
  { target: "linux-x64-baseline", deb: "amd64", rpm: "x86_64" },
  { target: "linux-arm64", deb: "arm64", rpm: "aarch64" },
];

/** Distributions use xz, which takes a minute per package. gzip is for tests. */
export type Compression = "xz" | "gzip";

/**
 * Writes `codexlb_<version>_<arch>.deb` for amd64 and arm64 into the release directory and returns the names.
 * Throws `file_unusable` when dpkg-deb is missing or fails, or the release lacks a target.
 */
export async function writeDebs(release: Release, compression: Compression = "xz"): Promise<string[]> {
  return forEachArchitecture(release, async ({ deb: arch }, unpacked, work) => {
    const seconds = releaseTime(unpacked);
    const name = `codexlb_${release.version}_${arch}.deb`;
    const root = join(work, "root");
    writeRoot(unpacked, root, "vendor-completions");
    writeDebDocumentation(release, unpacked, root);
    writeControl(release, root, arch);
    setModes(root);
    const level = compression === "gzip" ? ["-z1"] : [];
    const out = join(release.directory, name);
    await run({
      command: ["dpkg-deb", "--root-owner-group", `-Z${compression}`, ...level, "--build", root, out],
      from: "dpkg",
      seconds,
      home: work,
    });
    return name;
  });
}

/**
 * Writes `codexlb-<version>-1.<arch>.rpm` for x86_64 and aarch64 into the release directory and returns the names.
 * Throws `file_unusable` when rpmbuild is missing or fails, or the release lacks a target.
 */
export async function writeRpms(release: Release, compression: Compression = "xz"): Promise<string[]> {
  return forEachArchitecture(release, async ({ rpm: arch }, unpacked, work) => {
    const name = `codexlb-${release.version}-1.${arch}.rpm`;
    const root = join(work, "root");
    writeRoot(unpacked, root, "site-functions");
    writeText(root, "usr/share/licenses/codexlb/LICENSE", readFileSync(join(unpacked, "LICENSE")));
    writeText(root, "usr/share/doc/codexlb/README.md", readFileSync(join(unpacked, "README.md")));
    setModes(root);
    const spec = join(work, "codexlb.spec");
    writeFileSync(spec, fillTemplate("rpm/codexlb.spec.template", { ...commonValues(release), root }));
    const defines = {
      _topdir: join(work, "rpmbuild"),
      _rpmfilename: "codexlb.rpm",
      _binary_payload: compression === "gzip" ? "w1.gzdio" : "w6.xzdio",
      // Make the package reproducible: the same release gives the same bytes on every machine and at any time.
      _buildhost: "localhost",
      use_source_date_epoch_as_buildtime: "1",
      clamp_mtime_to_source_date_epoch: "1",
    };
    const flags = Object.entries(defines).flatMap(([key, value]) => ["--define", `${key} ${value}`]);
    await run({
      command: ["rpmbuild", "-bb", `--target=${arch}-linux`, ...flags, spec],
      from: "rpm",
      seconds: releaseTime(unpacked),
      home: work,
    });
    const written = join(work, "rpmbuild", "RPMS", "codexlb.rpm");
    copyFileSync(written, join(release.directory, name));
    return name;
  });
}

// --- internal ---

async function forEachArchitecture(
  release: Release,
  write: (architecture: { deb: string; rpm: string }, unpacked: string, work: string) => Promise<string>,
): Promise<string[]> {
  const names: string[] = [];
  for (const architecture of ARCHITECTURES) {
    const work = mkdtempSync(join(tmpdir(), "codexlb-package-"));
    try {
      names.push(await write(architecture, unpack(release, architecture.target, work), work));
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }
  return names;
}

function commonValues(release: Release): Record<string, string> {
  return {
    version: packageVersion(release.version),
    release: release.version,
    homepage: HOME_PAGE,
    maintainer: MAINTAINER,
    summary: SUMMARY,
    glibc: OLDEST_GLIBC,
  };
}

function writeDebDocumentation(release: Release, unpacked: string, root: string): void {
  const directory = "usr/share/doc/codexlb";
  const license = readFileSync(join(unpacked, "LICENSE"), "utf8");
  const [, copyright = ""] = /^Copyright \(c\) (.+)$/m.exec(license) ?? [];
  // A control file requires indented lines, with a full stop for an empty one.
  const indented = license
    .slice(license.indexOf("Permission"))
    .trimEnd()
    .split("\n")
    .map((line) => (line === "" ? " ." : ` ${line}`));
  writeText(
    root,
    `${directory}/copyright`,
    fillTemplate("deb/copyright.template", {
      ...commonValues(release),
      copyright,
      license: indented.join("\n"),
    }),
  );
  const date = new Date(releaseTime(unpacked) * 1000).toUTCString().replace("GMT", "+0000");
  const changelog = fillTemplate("deb/changelog.template", { ...commonValues(release), date });
  writeText(root, `${directory}/changelog.gz`, compressed(changelog));
  writeText(root, `${directory}/README.md.gz`, compressed(readFileSync(join(unpacked, "README.md"))));
  const overrides = readFileSync(packagingPath("deb/lintian-overrides"));
  writeText(root, "usr/share/lintian/overrides/codexlb", overrides);
}

function writeControl(release: Release, root: string, arch: string): void {
  const files = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const bytes = files.reduce((sum, path) => sum + statSync(path).size, 0);
  const sums = files.map(
    (path) => `${createHash("md5").update(readFileSync(path)).digest("hex")}  ${relative(root, path)}\n`,
  );
  mkdirSync(join(root, "DEBIAN"));
  writeFileSync(join(root, "DEBIAN", "md5sums"), sums.join(""));
  const values = { ...commonValues(release), arch, size: String(Math.ceil(bytes / 1024)) };
  writeFileSync(join(root, "DEBIAN", "control"), fillTemplate("deb/control.template", values));
}

interface Tool {
  readonly command: readonly string[];
  /** The Debian package that contains the tool. */
  readonly from: string;
  /** The time of the package, which is that of the release, in seconds since 1970. */
  readonly seconds: number;
  /** The HOME of the tool, without settings of the user that would change the package. */
  readonly home: string;
}

async function run({ command, from, seconds, home }: Tool): Promise<void> {
  const [program = ""] = command;
  if (Bun.which(program) === null)
    throw new CodexlbError("file_unusable", `building packages: ${program} is not installed`, {
      next: `install it (Debian: apt install ${from})`,
    });
  const child = Bun.spawn([...command], {
    env: { PATH: process.env.PATH ?? "", LC_ALL: "C", SOURCE_DATE_EPOCH: String(seconds), HOME: home },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (code !== 0)
    throw new CodexlbError(
      "file_unusable",
      `building packages: ${program} failed: ${`${out}${err}`.trim()}`,
      {
        next: "check the free disk space and the version of the tool",
      },
    );
}
