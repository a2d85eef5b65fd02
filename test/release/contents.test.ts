// Tests the files of a release, and the input that make release refuses.

import { expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import Ajv from "ajv";
import packageJson from "../../package.json";
import { BUN_VERSION, INTEGRITY } from "../../scripts/bun-runtime.mjs";
import { RELEASE_TARGETS, runtimeNameOf } from "../../scripts/targets.ts";
import { archiveOf, RELEASE_VERSION, unpack, wholeRelease } from "../support/release.ts";
import { tempDirectory } from "../support/temp.ts";

// The first test builds the release, and emulated processors are slow.
setDefaultTimeout(600_000);

interface Component {
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly hashes: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses: readonly unknown[];
}

test("the release contains an archive per target, the checksums and the SBOM", async () => {
  const { directory } = await wholeRelease();
  expect(readdirSync(directory).sort()).toEqual(
    [
      "SHA256SUMS",
      `codexlb-${RELEASE_VERSION}.cdx.json`,
      ...RELEASE_TARGETS.map((target) => `codexlb-${RELEASE_VERSION}-${target}.tar.gz`),
    ].sort(),
  );
});

test("SHA256SUMS passes sha256sum --check and names every other file", async () => {
  const { directory } = await wholeRelease();
  const check = Bun.spawnSync(["sha256sum", "--check", "--strict", "SHA256SUMS"], { cwd: directory });
  expect(check.exitCode).toBe(0);
  expect(check.stdout.toString().trim().split("\n")).toHaveLength(readdirSync(directory).length - 1);
});

test.each(RELEASE_TARGETS)(
  "entries in the archive for %s belong to root and have the time of the commit",
  async (target) => {
    const { directory } = await wholeRelease();
    const list = Bun.spawnSync(
      ["tar", "-tvzf", archiveOf(directory, target), "--numeric-owner", "--full-time", "--utc"],
      { env: { PATH: process.env.PATH ?? "", LC_ALL: "C", TZ: "UTC" } },
    );
    const top = `codexlb-${RELEASE_VERSION}-${target}`;
    const lines = list.stdout.toString().trim().split("\n");
    const entries = lines.map((line) => /^(\S+) (\S+) +\d+ (\S+ \S+) (\S+)$/.exec(line)?.slice(1) ?? [line]);
    const entry = (mode: string, path: string) => [mode, "0/0", "2026-01-31 12:00:00", `${top}/${path}`];
    expect(entries).toEqual([
      entry("drwxr-xr-x", ""),
      entry("-rw-r--r--", "LICENSE"),
      entry("-rw-r--r--", "README.md"),
      entry("-rwxr-xr-x", "codexlb"),
      entry("drwxr-xr-x", "completions/"),
      entry("-rw-r--r--", "completions/_codexlb"),
      entry("-rw-r--r--", "completions/codexlb.bash"),
      entry("-rw-r--r--", "completions/codexlb.fish"),
      entry("drwxr-xr-x", "man/"),
      entry("-rw-r--r--", "man/codexlb.1"),
    ]);
  },
);

test("the README links to pages that are not in the archive by their URL", async () => {
  using temp = tempDirectory();
  const text = readFileSync(join(await unpack("linux-x64", temp.path), "README.md"), "utf8");
  const targets = [...text.matchAll(/\]\(([^)]+)\)/g)].map(([, target = ""]) => target);
  expect(targets).toContain(`https://github.com/gngeorgiev/codexlb/blob/v${RELEASE_VERSION}/docs/install.md`);
  expect(targets.filter((target) => !/^(?:https:|#)/.test(target))).toEqual([]);
});

test("the manual page shows the version and the day of the commit", async () => {
  using temp = tempDirectory();
  const top = await unpack("linux-x64", temp.path);
  const [title] = readFileSync(join(top, "man/codexlb.1"), "utf8").split("\n");
  const escaped = RELEASE_VERSION.replace("-", "\\-");
  expect(title).toBe(`.TH "CODEXLB" 1 2026-01-31 "codexlb ${escaped}" "User Commands"`);
  expect(readFileSync(join(top, "completions/_codexlb"), "utf8")).toStartWith("#compdef codexlb");
});

test("the SBOM matches the CycloneDX schema and lists every package, and Bun with its hash", async () => {
  const { directory } = await wholeRelease();
  const text = readFileSync(join(directory, `codexlb-${RELEASE_VERSION}.cdx.json`), "utf8");
  const bom = JSON.parse(text) as { components: Component[]; metadata: { timestamp: string } };
  expect(schemaProblems(bom)).toEqual([]);
  expect(bom.metadata.timestamp).toBe("2026-01-31T12:00:00.000Z");
  const named = new Map(bom.components.map((component) => [component.name, component]));
  for (const [name, version] of Object.entries(packageJson.dependencies))
    expect([name, named.get(name)?.version]).toEqual([name, version]);
  for (const name of Object.keys(packageJson.devDependencies))
    expect([name, named.has(name)]).toEqual([name, false]);
  for (const target of RELEASE_TARGETS) {
    const integrity = INTEGRITY[runtimeNameOf(target)] ?? "";
    const content = Buffer.from(integrity.slice("sha512-".length), "base64").toString("hex");
    expect(named.get(`@oven/bun-${runtimeNameOf(target)}`)).toMatchObject({
      version: BUN_VERSION,
      hashes: [{ alg: "SHA-512", content }],
    });
  }
  for (const { name, purl, hashes, licenses } of bom.components)
    expect([name, purl.startsWith("pkg:npm/"), hashes.length, licenses.length]).toEqual([name, true, 1, 1]);
});

test("make release refuses an invalid version, an unknown target and uncommitted changes", async () => {
  const { checkout, directory } = await wholeRelease();
  const before = readdirSync(directory);
  for (const version of ["v1.2.3", "1.2", "1.2.3+build", "01.2.3", "1.2.3-", "1.2.3 "]) {
    const { code, err } = await checkout.release(["--version", version]);
    expect([code, err]).toEqual([
      2,
      `release: reading the version of the release: ${JSON.stringify(version)} is not a version\n` +
        "  write it like make release VERSION=1.2.3 or VERSION=1.2.3-rc.1\n",
    ]);
  }
  const unknown = await checkout.release(["--targets", "linux-x64,linux-x86"]);
  expect(unknown).toMatchObject({ code: 2, out: "" });
  expect(unknown.err).toContain('"linux-x86" is not a target');
  await Bun.write(join(checkout.path, "stray.txt"), "");
  const changed = await checkout.release(["--targets", "linux-x64"]);
  expect(changed).toMatchObject({ code: 2, out: "" });
  expect(changed.err).toContain("the working tree has changes that are not committed");
  expect(changed.err).toContain("set RELEASE_DIRTY=1 for a test build");
  await Bun.file(join(checkout.path, "stray.txt")).delete();
  expect(readdirSync(directory)).toEqual(before);
});

// --- internal ---

const SCHEMAS_OF_PARTS = ["spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json"];

/** Validates `bom` with the schemas in the CycloneDX library. Returns the errors. */
function schemaProblems(bom: unknown): string[] {
  const library = createRequire(import.meta.url).resolve("@cyclonedx/cyclonedx-library/package.json");
  const schema = (name: string) =>
    JSON.parse(readFileSync(join(dirname(library), "res/schema", name), "utf8")) as object;
  const ajv = new Ajv({ strict: false, validateFormats: false });
  // The ids of the schemas are URLs, and schemas refer to each other by relative ones.
  for (const name of SCHEMAS_OF_PARTS) ajv.addSchema(schema(name), `http://cyclonedx.org/schema/${name}`);
  const validate = ajv.compile(schema("bom-1.6.SNAPSHOT.schema.json"));
  validate(bom);
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}
