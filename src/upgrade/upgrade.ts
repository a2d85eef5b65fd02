// Upgrades an executable from a release, unless a package manager owns it.

import { realpathSync } from "node:fs";
import { CodexlbError } from "../errors.ts";
import { refreshExtras } from "./extras.ts";
import { ownedError, packageOwner } from "./package-manager.ts";
import { contentsOf, findArchive, type ReleaseArchive } from "./release.ts";
import { type Replacement, type ReplaceTools, removeLeftovers, replaceExecutable } from "./replace.ts";
import type { ReleaseSource } from "./source.ts";

export interface UpgradeOptions {
  readonly source: ReleaseSource;
  readonly target: string;
  /** The path of the installed executable. */
  readonly executable: string;
  /** The version of the installed executable. */
  readonly version: string;
  /** Install a release even if it is older. */
  readonly allowOlder: boolean;
  /** Runs before anything is changed, if there is something to install. An error from it cancels the upgrade. */
  readonly beforeReplacing?: () => Promise<void>;
}

export interface UpgradeResult {
  readonly version: string;
  readonly replacement: Replacement;
  /** Replaces the installed manual page and completions. Throws `file_unusable`. */
  refreshExtras(): void;
}

/** How the release compares with the installed version. */
export interface Comparison {
  readonly archive: ReleaseArchive;
  readonly release: "newer" | "same" | "older";
}

/** Compares the release with the installed version. Throws `upgrade_failed` if there is no release for the target. */
export async function compareWithRelease({ source, target, version }: UpgradeOptions): Promise<Comparison> {
  const archive = await findArchive(source, target);
  const order = Bun.semver.order(archive.version, version);
  return { archive, release: order > 0 ? "newer" : order < 0 ? "older" : "same" };
}

/**
 * Replaces the executable with the one from the release. Returns undefined if that version is already installed. Also
 * removes the files that killed upgrades left. Throws `upgrade_refused` for an older release and for an executable that
 * a package manager owns, and `upgrade_failed`. Changes nothing if it throws.
 */
export async function upgradeExecutable(
  options: UpgradeOptions,
  tools: ReplaceTools,
): Promise<UpgradeResult | undefined> {
  const { source, version, allowOlder } = options;
  const { archive, release } = await compareWithRelease(options);
  const path = realpathSync(options.executable);
  if (release === "same") {
    removeLeftovers(path);
    return undefined;
  }
  if (release === "older" && !allowOlder)
    throw new CodexlbError(
      "upgrade_refused",
      `the release ${archive.version} is older than the installed version ${version}`,
      { next: "to install it anyway, add --allow-older" },
    );
  const owner = await packageOwner(path, archive.version, tools.run);
  if (owner !== undefined) throw ownedError(path, owner);
  await options.beforeReplacing?.();
  const { executable, extras } = await contentsOf(source, archive);
  removeLeftovers(path);
  return {
    version: archive.version,
    replacement: await replaceExecutable(path, executable, archive.version, tools),
    refreshExtras: () => refreshExtras(path, extras),
  };
}
