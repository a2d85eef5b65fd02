// Finds the logins in a file or a directory of Codex or of another program.

import { readdirSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { parseJson } from "../../core/json.ts";
import { messageOf } from "../../errors.ts";
import { readTextIfPresent, unusable } from "../../state/atomic-file.ts";
import { checkAlias } from "../homes.ts";
import { CODEX_LB_FILE } from "./codex-lb-database.ts";
import { MULTI_AUTH_FILE } from "./codex-multi-auth.ts";
import type { FoundLogin, LoginFormat, ReadOptions, UnusableLogin } from "./format.ts";
import { formatOf } from "./formats.ts";

/** A login, and the program whose file contains it; undefined for a file of an unknown format. */
export type SourceLogin = (FoundLogin | UnusableLogin) & { readonly program: string | undefined };

/**
 * The logins in `path`: those of one file; of the files of a program in its directory; of the accounts in a root of
 * codexlb or of the Go program; or of all .json files in a directory and the programs' own files in its subdirectories.
 * A file of an unknown format beside others is an unusable login. Returns undefined if no file has a known format.
 * Throws `file_unusable`.
 */
export function findLogins(path: string, options: ReadOptions): readonly SourceLogin[] | undefined {
  if (isFile(path)) return loginsIn(path, options);
  const logins = filesIn(path).flatMap(({ file, alias }) => {
    const found = loginsOrReason(file, options);
    return alias === undefined ? found : found.map((login) => ({ ...login, alias }));
  });
  return logins.some(({ program }) => program !== undefined) ? logins : undefined;
}

/**
 * The files with logins that `findLogins` does not read, because `directory` has its own auth.json. It is empty for a
 * file, and for a directory without auth.json. Files that cannot be read are left out.
 */
export function ignoredLogins(directory: string): readonly string[] {
  const own = join(directory, AUTH_FILE);
  if (!isFile(own)) return [];
  const files = [...accountFiles(directory), ...ownFiles(directory), ...filesInside(directory)];
  const others = new Set(files.map(({ file }) => file));
  others.delete(own);
  return [...others].filter((file) =>
    loginsOrReason(file, { passphrase: undefined }).some(({ kind }) => kind === "login"),
  );
}

// --- internal ---

const AUTH_FILE = "auth.json";
/** The names by which programs know their own files. Other files beside them contain no logins. */
const OWN_FILES = [AUTH_FILE, MULTI_AUTH_FILE, CODEX_LB_FILE];

interface CandidateFile {
  readonly file: string;
  /** The alias of an account in a root. */
  readonly alias?: string;
}

function filesIn(directory: string): readonly CandidateFile[] {
  // A home with a login may contain copies that the user keeps for other purposes.
  const login = join(directory, AUTH_FILE);
  if (isFile(login)) return [{ file: login }];
  const own = [...accountFiles(directory), ...ownFiles(directory)];
  return own.length > 0 ? own : filesInside(directory);
}

/** The logins of the accounts in a root. */
function accountFiles(directory: string): CandidateFile[] {
  return subdirectories(join(directory, "accounts")).flatMap((alias) => {
    const file = join(directory, "accounts", alias, AUTH_FILE);
    return isFile(file) && isAlias(alias) ? [{ file, alias }] : [];
  });
}

/** All .json files in a directory, and the programs' own files in its subdirectories. */
function filesInside(directory: string): CandidateFile[] {
  const inside = names(directory)
    .filter((name) => name.endsWith(".json"))
    .map((name) => ({ file: join(directory, name) }))
    .filter(({ file }) => isFile(file));
  return [...inside, ...subdirectories(directory).flatMap((name) => ownFiles(join(directory, name)))];
}

function ownFiles(directory: string): CandidateFile[] {
  return OWN_FILES.map((name) => ({ file: join(directory, name) })).filter(({ file }) => isFile(file));
}

/** The logins in a file of a directory. A file that cannot be read does not keep the others from being read. */
function loginsOrReason(path: string, options: ReadOptions): readonly SourceLogin[] {
  const unusable = (reason: string) => [{ kind: "unusable", path, reason, program: undefined } as const];
  try {
    return loginsIn(path, options) ?? unusable(isJson(path) ? "unknown format" : "is not JSON");
  } catch (error) {
    return unusable(messageOf(error));
  }
}

function loginsIn(path: string, options: ReadOptions): readonly SourceLogin[] | undefined {
  // Only the text of a small file can be a login; a database is larger.
  const text = isDatabase(path) ? undefined : readTextIfPresent(path);
  const file = { path, text, json: text === undefined ? undefined : parseJson(text) };
  const format: LoginFormat | undefined = formatOf(file);
  return format?.read(file, options).map((login) => ({ ...login, program: format.program }));
}

function isJson(path: string): boolean {
  return isDatabase(path) || parseJson(readTextIfPresent(path) ?? "") !== undefined;
}

function isDatabase(path: string): boolean {
  return path.endsWith(".db");
}

/** The entries of `directory` in the order of their names; none if it does not exist. Throws `file_unusable`. */
function names(directory: string): string[] {
  if (!isDirectory(directory)) return [];
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    throw unusable(`reading ${directory}`, error);
  }
}

function subdirectories(directory: string): string[] {
  return names(directory).filter((name) => isDirectory(join(directory, name)));
}

function isDirectory(path: string): boolean {
  return statOf(path)?.isDirectory() === true;
}

function isFile(path: string): boolean {
  return statOf(path)?.isFile() === true;
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined; // missing, or in a directory that the user cannot read
  }
}

function isAlias(name: string): boolean {
  try {
    checkAlias(name);
    return true;
  } catch {
    return false;
  }
}
