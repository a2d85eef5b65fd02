// The key of a pool: 32 random bytes that never enter the engine. Everything that the engine stores is sealed with it.

import { lstatSync, renameSync } from "node:fs";
import { resolve } from "node:path";
import { advised } from "../advice.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError, systemCodeOf, systemProblem } from "../errors.ts";
import { readTextIfPresent, writeFileAtomic } from "../state/atomic-file.ts";

/** The variable with the key itself. */
const KEY_VARIABLE = "CODEXLB_CLUSTER_KEY";
const KEY_BYTES = 32;
/** Permission bits of group and others. */
const FOR_OTHERS = 0o077;

/** Where the key is: in the environment, or in a file, whose path may be relative to the working directory. */
export interface KeyPlace {
  readonly env: Deps["env"];
  /** `cluster.key_file`; "" if it is not set. */
  readonly keyFile: string;
  /** True if the root has joined the pool, which a new key does not open. Errors then advise no new key. Default: false. */
  readonly isJoined?: boolean;
}

/**
 * The key. `CODEXLB_CLUSTER_KEY` wins over the file. Throws `invalid_config` if there is none, if it is not 32 bytes in
 * base64, or if other users can read the file.
 */
export function poolKey(place: KeyPlace): Uint8Array {
  const { env, keyFile, isJoined = false } = place;
  const variable = variableIn(env);
  if (variable) return decoded(variable, KEY_VARIABLE, isJoined);
  if (keyFile === "")
    throw invalid("the cluster has no key", `set cluster.key_file in config.toml, or ${KEY_VARIABLE}`);
  const path = resolve(keyFile);
  const key = keyIn(path, isJoined);
  if (key !== undefined) return key;
  throw invalid(
    `reading the cluster's key from ${path}: no such file`,
    isJoined
      ? "copy the key file from another replica, or restore it from a backup"
      : `copy the key file from another replica, or create the pool with: ${advised("cluster init")}`,
  );
}

/** Where the next key is while `codexlb cluster rekey` distributes it; undefined if the environment has the key. */
export function nextKeyFile({ env, keyFile }: KeyPlace): string | undefined {
  return variableIn(env) || keyFile === "" ? undefined : `${resolve(keyFile)}.next`;
}

/** The next key; undefined if there is none. Throws like `poolKey`. */
export function nextPoolKey(place: KeyPlace): Uint8Array | undefined {
  const path = nextKeyFile(place);
  return path === undefined ? undefined : keyIn(path, place.isJoined);
}

/** Creates the file of the next key, unless it exists. Returns its path. Throws like `createPoolKey`. */
export function createNextPoolKey(place: KeyPlace, random: Deps["random"]): string {
  const path = nextKeyFile(place);
  if (path === undefined)
    throw invalid(
      `the key of the pool is not in a file, so ${advised("cluster rekey")} cannot replace it`,
      `write the key to a file, and set cluster.key_file instead of ${KEY_VARIABLE}`,
    );
  if (keyIn(path, place.isJoined) === undefined) writeKey(path, random);
  return path;
}

/** Replaces the key file by that of the next key. Throws `file_unusable`. */
export function adoptNextPoolKey(place: KeyPlace): void {
  const path = nextKeyFile(place);
  const key = path && keyIn(path, place.isJoined);
  // The old key is overwritten by a rename, so there is a readable key at every moment.
  if (path === undefined || key === undefined) return;
  try {
    renameSync(path, resolve(place.keyFile));
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
  const path = resolve(keyFile);
  if (readTextIfPresent(path, LONGEST_KEY_FILE_BYTES) !== undefined) return undefined;
  writeKey(path, random);
  return path;
}

// --- internal ---

/** A key has 44 characters. */
const LONGEST_KEY_FILE_BYTES = 4 * 1024;

function variableIn(env: Deps["env"]): string | undefined {
  return env.CODEXLB_CLUSTER_KEY?.trim() || undefined;
}

/** The key in the file at `path`; undefined if there is no such file. */
function keyIn(path: string, isJoined = false): Uint8Array | undefined {
  const text = readTextIfPresent(path, LONGEST_KEY_FILE_BYTES);
  if (text === undefined) return undefined;
  if ((lstatSync(path).mode & FOR_OTHERS) !== 0)
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
