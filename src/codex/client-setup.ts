// Points clients that start without `codexlb run` (IDE extension, desktop app, a plain codex) at the proxy through the
// user's config.toml, and undoes that. A backup of the file and a note are stored next to it.

import { chmodSync, lstatSync, readdirSync, realpathSync, rmdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { hashOf } from "../auth/secrets.ts";
import { parseJson } from "../core/json.ts";
import { docsPage } from "../core/project-pages.ts";
import { CodexlbError, systemProblem } from "../errors.ts";
import { makePrivateDirectory, readTextIfPresent, unusable, writeFileAtomic } from "../state/atomic-file.ts";
import { type BaseUrlKey, type BaseUrls, withBaseUrls, withoutBaseUrls } from "./base-urls.ts";

export interface SetupPlan {
  /** The config.toml of the home, links followed. */
  readonly path: string;
  /** Undefined if there is no file yet. */
  readonly before: string | undefined;
  readonly after: string;
  /** Path of the backup; undefined if there was no file. */
  readonly backup: string | undefined;
  apply(): void;
}

/**
 * Plans to add `urls` to the config.toml of `home`. If the home is set up already, starts again from its original file.
 * Throws `invalid_config` for invalid TOML, and `file_unusable`.
 */
export function planSetup(home: string, urls: BaseUrls): SetupPlan {
  const path = configPath(home);
  const before = readConfig(path);
  const original = originalConfig(home, before).text;
  const edit = readable(path, () => withBaseUrls(original ?? "", urls));
  if (edit === undefined)
    throw new CodexlbError(
      "invalid_config",
      `cannot add openai_base_url and chatgpt_base_url to ${path} without changing other settings`,
      {
        next: `add both by hand at the top of the file, as on ${docsPage("clients")}`,
      },
    );
  const backup = original === undefined ? undefined : join(home, BACKUP);
  return {
    path,
    before,
    after: edit.text,
    backup,
    apply: () => {
      // The user already wrote these URLs, so there will be nothing to undo.
      if (edit.text === original) return;
      const mode = modeOf(path);
      const hadHome = lstatSync(home, { throwIfNoEntry: false }) !== undefined;
      const wasMade = noteIn(home)?.made_home ?? !hadHome;
      makePrivateDirectory(home);
      if (backup === undefined) rmSync(join(home, BACKUP), { force: true });
      else writeKeeping(backup, original ?? "", mode);
      const note: SetupNote = {
        version: 1,
        made_home: wasMade,
        made_file: original === undefined,
        written: hashOf(edit.text),
        urls,
        former: edit.former,
      };
      writeFileAtomic(join(home, NOTE), `${JSON.stringify(note, undefined, 2)}\n`);
      writeKeeping(path, edit.text, mode);
    },
  };
}

/** The result of an unsetup. */
export interface UnsetupResult {
  readonly path: string;
  /**
   * `edited`: only URLs were removed, because the file had been edited. `unchanged`: there was no URL to remove.
   * `gone`: the file no longer exists.
   */
  readonly kind: "restored" | "removed" | "edited" | "unchanged" | "gone";
  /** URLs that stay because they were changed in between. */
  readonly kept: readonly BaseUrlKey[];
}

/** Undoes `planSetup`; undefined when `home` is not set up. Throws `invalid_config`, `file_unusable`. */
export function unsetup(home: string): UnsetupResult | undefined {
  const note = noteIn(home);
  if (note === undefined) return undefined;
  const path = configPath(home);
  const current = readConfig(path);
  const { text, isExact, kept } = originalConfig(home, current);
  if (text === undefined) rmSync(path, { force: true });
  else if (text !== current) writeKeeping(path, text, modeOf(path));
  for (const name of [NOTE, BACKUP]) rmSync(join(home, name), { force: true });
  if (note.made_home && readdirSync(home).length === 0) rmdirSync(home);
  if (current === undefined) return { path, kind: "gone", kept };
  if (text === undefined) return { path, kind: "removed", kept };
  return { path, kind: isExact ? "restored" : text === current ? "unchanged" : "edited", kept };
}

/** The URLs that `codexlb setup` wrote into the config.toml of `home`; undefined if it is not set up. */
export function setupIn(home: string): BaseUrls | undefined {
  return noteIn(home)?.urls;
}

// --- internal ---

const BACKUP = "config.toml.before-codexlb";
const NOTE = ".codexlb-setup.json";

type SetupNote = z.output<typeof SetupNote>;
const SetupNote = z.object({
  version: z.literal(1),
  made_home: z.boolean(),
  made_file: z.boolean(),
  /** Hash of the file that setup wrote. */
  written: z.string(),
  urls: z.object({ openai_base_url: z.string(), chatgpt_base_url: z.string() }),
  former: z.object({ openai_base_url: z.string().optional(), chatgpt_base_url: z.string().optional() }),
});

function noteIn(home: string): SetupNote | undefined {
  return SetupNote.safeParse(parseJson(readTextIfPresent(join(home, NOTE)) ?? "")).data;
}

/** The config.toml before setup; its text is undefined when there was no file. */
function originalConfig(
  home: string,
  current: string | undefined,
): { readonly text: string | undefined; readonly isExact: boolean; readonly kept: readonly BaseUrlKey[] } {
  const note = noteIn(home);
  if (note === undefined || current === undefined) return { text: current, isExact: true, kept: [] };
  const backup = note.made_file ? undefined : readTextIfPresent(join(home, BACKUP));
  if (hashOf(current) === note.written && (note.made_file || backup !== undefined))
    return { text: backup, isExact: true, kept: [] };
  const { text, kept } = readable(configPath(home), () => withoutBaseUrls(current, note.urls, note.former));
  return { text: note.made_file && text === "" ? undefined : text, isExact: false, kept };
}

/** Resolves links, so that a link made by a dotfiles tool survives the write. Throws `file_unusable`. */
function configPath(home: string): string {
  const path = join(home, "config.toml");
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return path;
  try {
    return realpathSync(path);
  } catch (error) {
    throw unusable(`following the link ${path}`, error);
  }
}

/** Throws `invalid_config` for invalid UTF-8, because writing it back would change other bytes. */
function readConfig(path: string): string | undefined {
  const text = readTextIfPresent(path);
  if (text?.includes("\uFFFD"))
    throw new CodexlbError("invalid_config", `reading ${path}: not valid UTF-8`, {
      next: "correct the file and try again",
    });
  return text;
}

function readable<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new CodexlbError("invalid_config", `reading ${path}: ${systemProblem(error)}`, {
      next: "correct the file and try again",
    });
  }
}

function modeOf(path: string): number | undefined {
  const mode = statSync(path, { throwIfNoEntry: false })?.mode;
  return mode === undefined ? undefined : mode & 0o777;
}

function writeKeeping(path: string, text: string, mode: number | undefined): void {
  writeFileAtomic(path, text);
  if (mode !== undefined) chmodSync(path, mode);
}
