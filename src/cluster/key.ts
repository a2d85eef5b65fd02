// The key of a pool: 32 random bytes that never enter the engine. Everything that the engine stores is sealed with it.

import { existsSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { advised } from "../advice.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError, systemCodeOf, systemProblem } from "../errors.ts";
import { quote } from "../quote.ts";
import { readTextIfPresent, writeFileAtomic } from "../state/atomic-file.ts";
import type { Layout } from "../state/layout.ts";
import { absolutePath } from "../state/setting-path.ts";
import type { Config } from "../state/settings.ts";

/** The variable with the key itself. */
const KEY_VARIABLE = "CODEXLB_CLUSTER_KEY";
const KEY_BYTES = 32;
/** Permission bits of group and others. */
const FOR_OTHERS = 0o077;

/** Where the key is: in the environment, or in a file. */
export interface KeyPlace {
  readonly env: Deps["env"];
  /** The absolute path of the file; "" if `cluster.key_file` is not set. */
  readonly keyFile: string;
  /** True if the root has joined the pool, which a new key does not open. Errors then advise no new key. Default: false. */
  readonly isJoined?: boolean;
}

/** Where the key of a root with these settings is. A relative path in config.toml is relative to the root. */
export function keyPlaceOf(
  { root, cluster }: Pick<Layout, "root" | "cluster">,
  { key_file: path }: Pick<Config["cluster"], "key_file">,
  env: Deps["env"],
): KeyPlace {
  return {
    env,
    keyFile: path === "" ? "" : absolutePath(path, root, env),
    isJoined: existsSync(cluster),
  };
}

/**
 * The key. `CODEXLB_CLUSTER_KEY` wins over the file. Throws `invalid_config` if there is none, if it is not 32 bytes in
 * base64, or if other users can read the file.
 */
export function poolKey(place: KeyPlace): Uint8Array {
  const key = poolKeyIfPresent(place);
  if (key !== undefined) return key;
  const { keyFile, isJoined = false } = place;
  throw invalid(
    `reading the cluster's key from ${keyFile}: no such file`,
    isJoined
      ? "copy the key file from another replica, or restore it from a backup"
      : `copy the key file from another replica, or create the pool with: ${advised("cluster init")}`,
  );
}

/** Like `poolKey`, but returns undefined if the key file does not exist. */
export function poolKeyIfPresent(place: KeyPlace): Uint8Array | undefined {
  const { env, keyFile, isJoined = false } = place;
  const variable = variableIn(env);
  if (variable) return decoded(variable, KEY_VARIABLE, isJoined);
  if (keyFile !== "") return keyIn(keyFile, isJoined, `name the key file in ${settingOf(place)}`);
  throw invalid("the cluster has no key", `set cluster.key_file in config.toml, or ${KEY_VARIABLE}`);
}

/** Where the next key is while `codexlb cluster rekey` distributes it; undefined if the environment has the key. */
export function nextKeyFile({ env, keyFile }: KeyPlace): string | undefined {
  return variableIn(env) || keyFile === "" ? undefined : `${keyFile}.next`;
}

/** The next key; undefined if there is none. Throws like `poolKey`. */
export function nextPoolKey(place: KeyPlace): Uint8Array | undefined {
  const path = nextKeyFile(place);
  return path === undefined ? undefined : keyIn(path, place.isJoined);
}

/** The file of the next key. */
export interface NextKeyFile {
  readonly path: string;
  /** False if the file existed before. */
  readonly isNew: boolean;
}

/** Creates the file of the next key, unless it exists. Throws like `createPoolKey` and `nextPoolKey`. */
export function createNextPoolKey(place: KeyPlace, random: Deps["random"]): NextKeyFile {
  const path = nextKeyFile(place);
  if (path === undefined)
    throw invalid(
      `the key of the pool is not in a file, so ${advised("cluster rekey")} cannot replace it`,
      `write the key to a file, and set cluster.key_file instead of ${KEY_VARIABLE}`,
    );
  const isNew = keyIn(path, place.isJoined) === undefined;
  if (isNew) writeKey(path, random);
  return { path, isNew };
}

/** Replaces the key file by that of the next key. Throws `file_unusable`. */
export function adoptNextPoolKey(place: KeyPlace): void {
  const path = nextKeyFile(place);
  const key = path && keyIn(path, place.isJoined);
  // The old key is overwritten by a rename, so there is a readable key at every moment.
  if (path === undefined || key === undefined) return;
  try {
    renameSync(path, place.keyFile);
  } catch (error) {
    // A replica with the same files has replaced it in the meantime.
    if (systemCodeOf(error) === "ENOENT") return;
    throw new CodexlbError(
      "file_unusable",
      `replacing ${place.keyFile} by ${path}: ${systemProblem(error)}`,
      {
        next: "move the file yourself; until then codexlb uses both",
        cause: error,
      },
    );
  }
}

/**
 * Creates the key file with a new key, unless it exists or the environment has the key. Returns the path of a new file.
 * Throws `invalid_config` if no place for the key is set, and `file_unusable`.
 */
export function createPoolKey(place: KeyPlace, random: Deps["random"]): string | undefined {
  const { env, keyFile } = place;
  if (variableIn(env) || keyFile === "") return undefined;
  const nameFile = `name the key file in ${settingOf(place)}`;
  if (readTextIfPresent(keyFile, LONGEST_KEY_FILE_BYTES, nameFile) !== undefined) return undefined;
  try {
    writeKey(keyFile, random);
  } catch (error) {
    if (!(error instanceof Error) || systemCodeOf(error.cause) !== "ENOENT") throw error;
    const directory = dirname(keyFile);
    throw new CodexlbError(
      "file_unusable",
      `creating the key ${keyFile}: the directory ${directory} does not exist`,
      {
        next: `create it: mkdir -p -m 700 ${quote(directory)}; or correct ${settingOf(place)}`,
        cause: error,
      },
    );
  }
  return keyFile;
}

// --- internal ---

/** A key has 44 characters. */
const LONGEST_KEY_FILE_BYTES = 4 * 1024;

function variableIn(env: Deps["env"]): string | undefined {
  return env.CODEXLB_CLUSTER_KEY?.trim() || undefined;
}

/** The setting that has the path of the key file. */
function settingOf({ env }: KeyPlace): string {
  return env.CODEXLB_CLUSTER_KEY_FILE?.trim()
    ? "CODEXLB_CLUSTER_KEY_FILE"
    : "cluster.key_file in config.toml";
}

/** The key in the file at `path`; undefined if there is no such file. `notFileNext`: as for `readTextIfPresent`. */
function keyIn(path: string, isJoined = false, notFileNext?: string): Uint8Array | undefined {
  const text = readTextIfPresent(path, LONGEST_KEY_FILE_BYTES, notFileNext);
  if (text === undefined) return undefined;
  // Those of the file that is read: everyone can read a symlink, which secret mounts of Kubernetes consist of.
  if ((statSync(path).mode & FOR_OTHERS) !== 0)
    throw invalid(`other users can access the cluster's key in ${path}`, `run: chmod 600 ${path}`);
  return decoded(text, path, isJoined);
}

function writeKey(path: string, random: Deps["random"]): void {
  writeFileAtomic(path, `${Buffer.from(random(KEY_BYTES)).toString("base64")}\n`);
}

function decoded(text: string, from: string, isJoined: boolean): Uint8Array {
  const trimmed = text.trim();
  const key = /^[A-Za-z0-9+/_-]+={0,2}$/.test(trimmed) ? Buffer.from(trimmed, "base64") : Buffer.alloc(0);
  if (key.length !== KEY_BYTES)
    throw invalid(
      `the cluster's key in ${from} is not ${KEY_BYTES} bytes in base64`,
      isJoined
        ? "copy the key from another replica, or restore it from a backup"
        : "use the key of another replica, or create one with: openssl rand -base64 32",
    );
  return key;
}

function invalid(what: string, next: string): CodexlbError {
  return new CodexlbError("invalid_config", what, { next });
}
