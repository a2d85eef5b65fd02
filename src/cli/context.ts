// What every command needs: the root, the clock, the environment, the log.

import { existsSync, statSync } from "node:fs";
import type { Deps } from "../deps.ts";
import { systemDeps } from "../deps.ts";
import { CodexlbError, systemCodeOf } from "../errors.ts";
import { type Layout, layoutOf, namedRoot, rootFrom } from "../state/layout.ts";

/** The root of a command and its means to work on it. */
export interface CommandContext {
  readonly deps: Deps;
  readonly layout: Layout;
  /** True if the user named the root, by flag or variable. */
  readonly rootNamed: boolean;
}

/** The context of a command; `root` is `--root`. Throws `file_unusable` for a root that is not a directory. */
export function contextOf(root: string | undefined): CommandContext {
  const deps = systemDeps();
  const layout = layoutOf(rootFrom(root, deps.env));
  if (!mayBeDirectory(layout.root))
    throw new CodexlbError("file_unusable", `the root ${layout.root} is not a directory`, {
      next: "choose another --root",
    });
  return { deps, layout, rootNamed: namedRoot(root, deps.env) !== undefined };
}

/** False for a root that does not exist yet. Commands that only read need not create it. */
export function rootExists({ layout }: CommandContext): boolean {
  return existsSync(layout.root);
}

// --- internal ---

/** False if the path or a part of it exists and is not a directory. Other errors appear when the root is used. */
function mayBeDirectory(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() !== false;
  } catch (error) {
    return systemCodeOf(error) !== "ENOTDIR";
  }
}
