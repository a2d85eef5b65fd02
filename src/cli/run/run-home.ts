// The Codex home of a run: linked to the user's own (the default), isolated, or the directory that the user names.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { userHomes } from "../../codex/home.ts";
import { ownHomeOf } from "../../codex/linked-home.ts";
import { homeToCheck, type Layout } from "../../state/layout.ts";
import type { CommandContext } from "../context.ts";

/** A Codex home that codexlb prepares. */
export interface RunHome {
  /** Absolute, or relative to the working directory. */
  readonly path: string;
  /** The user's home that it is linked to; undefined: none. */
  readonly own: string | undefined;
  /** For the home of a client key: the home of runs without a key, whose settings its first run copies. */
  readonly unkeyed?: string;
}

/** The flags that choose the home. */
export interface HomeFlags {
  readonly codexHome?: string | undefined;
  readonly isolated?: boolean | undefined;
}

export function runHomeOf({ deps, layout }: CommandContext, { codexHome, isolated }: HomeFlags): RunHome {
  const named = codexHome?.trim();
  if (named) return { path: named, own: undefined };
  return isolated ? isolatedHome(layout) : linkedHome(layout, deps.env);
}

/** The home that `doctor` checks: as `runHomeOf`, but before the first run with it that of earlier versions. */
export function homeToExamine(context: CommandContext, codexHome: string | undefined): RunHome {
  const home = runHomeOf(context, { codexHome });
  const { layout } = context;
  return home.own !== undefined && homeToCheck(layout, home.path) === layout.runtime
    ? isolatedHome(layout)
    : home;
}

export function isolatedHome(layout: Layout): RunHome {
  return { path: layout.runtime, own: undefined };
}

/** True for a home in codexlb's root. */
export function isManaged(path: string, layout: Layout): boolean {
  const home = resolve(path);
  return (
    home === resolve(layout.runtime) || home === layout.linkedHome || home.startsWith(`${layout.linkedHome}-`)
  );
}

// --- internal ---

/**
 * Each of the user's homes has its own linked home, so that runs with different homes do not disturb each other. So
 * does each client key, because each run writes auth.json before Codex reads it, and a run with another key could
 * overwrite it in between.
 */
function linkedHome(layout: Layout, env: CommandContext["deps"]["env"]): RunHome {
  const homes = userHomes(env).map((home) => resolve(home));
  const standard = homes.at(-1) ?? ".";
  const own = ownHome(homes[0] ?? standard, standard, layout);
  const unkeyed = `${layout.linkedHome}${own === standard ? "" : `-${shortHash(own)}`}`;
  const key = env.CODEXLB_CLIENT_KEY?.trim();
  return key ? { path: `${unkeyed}-key-${shortHash(key)}`, own, unkeyed } : { path: unkeyed, own };
}

function shortHash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}

/** The home that Codex would use: `named`, unless it is one of codexlb's own (a run within a run) or does not exist. */
function ownHome(named: string, standard: string, layout: Layout): string {
  if (isManaged(named, layout)) return ownHomeOf(named) ?? standard;
  return existsSync(named) ? named : standard;
}
