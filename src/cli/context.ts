// What every command starts from: the root it works on, and the means to do so.

import { existsSync, statSync } from "node:fs";
import type { Deps } from "../deps.ts";
import { systemDeps } from "../deps.ts";
import { CodexlbError, systemCodeOf } from "../errors.ts";
import { type Layout, layoutOf, namedRoot, rootFrom } from "../state/layout.ts";

export interface CommandContext {
  readonly deps: Deps;
  readonly layout: Layout;
  /** The user named the root, by flag or variable. */
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

/** False for a root in which no account was enrolled yet. Commands that only look for something need not create it. */
export function isThere({ layout }: CommandContext): boolean {
  return existsSync(layout.root);
}

// --- internal ---

/** False if the path, or a part of it, is something else. Other errors show when the root is used. */
function mayBeDirectory(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() !== false;
  } catch (error) {
    return systemCodeOf(error) !== "ENOTDIR";
  }
}
