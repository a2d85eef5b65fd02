// The key of a pool: 32 random bytes that never enter the engine. Everything that the engine stores is sealed with it.

import { lstatSync } from "node:fs";
import { resolve } from "node:path";
import { advised } from "../advice.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError } from "../errors.ts";
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
}

/**
 * The key. `CODEXLB_CLUSTER_KEY` wins over the file. Throws `invalid_config` if there is none, if it is not 32 bytes in
 * base64, or if other users can read the file.
 */
export function poolKey({ env, keyFile }: KeyPlace): Uint8Array {
  const variable = env.CODEXLB_CLUSTER_KEY?.trim();
  if (variable) return decoded(variable, KEY_VARIABLE);
  if (keyFile === "")
    throw invalid("the cluster has no key", `set cluster.key_file in config.toml, or ${KEY_VARIABLE}`);
  const path = resolve(keyFile);
  const text = readTextIfPresent(path, LONGEST_KEY_FILE_BYTES);
  if (text === undefined)
    throw invalid(
      `reading the cluster's key from ${path}: no such file`,
      `copy the key file from another replica, or create the pool with: ${advised("cluster init")}`,
    );
  if ((lstatSync(path).mode & FOR_OTHERS) !== 0)
    throw invalid(`other users can access the cluster's key in ${path}`, `run: chmod 600 ${path}`);
  return decoded(text, path);
}

/**
 * Creates the key file with a new key, unless it exists or the environment has the key. Returns the path of a new file.
 * Throws `invalid_config` if no place for the key is set, and `file_unusable`.
 */
export function createPoolKey(place: KeyPlace, random: Deps["random"]): string | undefined {
  const { env, keyFile } = place;
  if (env.CODEXLB_CLUSTER_KEY?.trim() || keyFile === "") return undefined;
  const path = resolve(keyFile);
  if (readTextIfPresent(path, LONGEST_KEY_FILE_BYTES) !== undefined) return undefined;
  writeFileAtomic(path, `${Buffer.from(random(KEY_BYTES)).toString("base64")}\n`);
  return path;
}

// --- internal ---

/** A key has 44 characters. */
const LONGEST_KEY_FILE_BYTES = 4 * 1024;

function decoded(text: string, from: string): Uint8Array {
  const trimmed = text.trim();
  const key = /^[A-Za-z0-9+/_-]+={0,2}$/.test(trimmed) ? Buffer.from(trimmed, "base64") : Buffer.alloc(0);
  if (key.length !== KEY_BYTES)
    throw invalid(
      `the cluster's key in ${from} is not ${KEY_BYTES} bytes in base64`,
      "use the key of another replica, or create one with: openssl rand -base64 32",
    );
  return key;
}

function invalid(what: string, next: string): CodexlbError {
  return new CodexlbError("invalid_config", what, { next });
}
