// Enrols all logins of a file or directory, and returns what happened to each one.

import { ownerlessToken } from "../../auth/auth-file.ts";
import type { SourceLogin } from "../../auth/import/find-logins.ts";
import { looksLikeStub } from "../../auth/stub.ts";
import { CodexlbError, messageOf } from "../../errors.ts";
import {
  type ImportTarget,
  importLogin,
  type PlannedLogin,
  planLogin,
  type ReadyLogin,
  readyLogin,
} from "./import-login.ts";

/**
 * `imported`, `updated`, `unchanged`: as the enrolment reports it. `enrolled`: the account already has this login or a newer
 * one, so nothing was changed. `skipped`: the login cannot be used. In a dry run `imported` means that it would be.
 */
export type ImportResult = "imported" | "updated" | "unchanged" | "enrolled" | "skipped";

/** What happened to one login. Its keys are those of the JSON output. */
export interface ImportOutcome {
  /** The file that contains the login. */
  readonly file: string;
  /** The program that wrote the file, if the format is known. */
  readonly program?: string | undefined;
  readonly alias?: string | undefined;
  readonly email?: string | undefined;
  /** The id of the ChatGPT account. */
  readonly workspace?: string | undefined;
  readonly plan?: string | undefined;
  /** The base URL of an API key. */
  readonly api_url?: string | undefined;
  readonly result: ImportResult;
  /** The file with the same login that was used instead. */
  readonly copy_of?: string | undefined;
  /** Why the login was not enrolled. */
  readonly reason?: string | undefined;
}

export interface ImportOptions extends Omit<ImportTarget, "reserved"> {
  /** The alias for the only login; undefined: chosen for each one. */
  readonly named: string | undefined;
  readonly dryRun: boolean;
}

/** Enrols `logins`, each one even if another one fails, and returns the outcomes in the order of `logins`. */
export async function importMany(
  logins: readonly SourceLogin[],
  options: ImportOptions,
): Promise<ImportOutcome[]> {
  const read = await Promise.all(logins.map((login) => readOne(login, options)));
  const ready = read.flatMap((one) => ("credentials" in one ? [one] : []));
  const outcomes = new Map<ReadyLogin, ImportOutcome>();
  for (const one of ready) {
    const newest = newestCopy(one, ready);
    if (newest !== one) continue;
    // A dry run enrols nothing, so its aliases are not among those of the accounts.
    const reserved = [...outcomes.values()].flatMap(({ alias }) => alias ?? []);
    outcomes.set(one, await importOne(one, { ...options, reserved }));
  }
  return read.map((one) => {
    if (!("credentials" in one)) return one;
    const own = outcomes.get(one);
    if (own !== undefined) return own;
    const newest = newestCopy(one, ready);
    const used = outcomes.get(newest);
    const file = newest.login.path;
    const isOlder = (one.credentials.refreshedMs ?? 0) < (newest.credentials.refreshedMs ?? 0);
    return {
      ...describe(one),
      alias: used?.alias,
      result: used?.result === "skipped" ? "skipped" : "enrolled",
      copy_of: file,
      reason: isOlder ? `${file} has a newer copy of this login` : `${file} has the same login`,
    };
  });
}

// --- internal ---

/** A login with what is known about it before its enrolment. */
type Readable = ReadyLogin & { readonly program: string | undefined };

/** Reads a login, or returns the outcome of one that cannot be used. */
async function readOne(source: SourceLogin, { deps }: ImportOptions): Promise<Readable | ImportOutcome> {
  const { program, path: file, email } = source;
  const skipped = (reason: string): ImportOutcome => ({ file, program, email, result: "skipped", reason });
  if (source.kind === "unusable") return skipped(source.reason);
  try {
    const ready = { ...(await readyLogin(source, deps)), program };
    const reason = whyUseless(ready, deps.clock.now());
    return reason === undefined ? ready : { ...describe(ready), result: "skipped", reason };
  } catch (error) {
    return skipped(reasonIn(error, file));
  }
}

/** Why a login cannot be used for long; undefined if it can. A personal access token has no refresh token and needs none. */
function whyUseless({ login, auth, credentials }: ReadyLogin, nowMs: number): string | undefined {
  const { accessToken, refreshToken, expiresMs } = credentials;
  if (looksLikeStub(accessToken)) return "the stub that codexlb run writes, not a real login";
  if (refreshToken !== undefined || auth !== login.auth || ownerlessToken(auth) !== undefined)
    return undefined;
  if (expiresMs === undefined) return undefined;
  return expiresMs <= nowMs ? "expired, and it has no refresh token" : "no refresh token";
}

/** The newest of the logins in `all` that are of the same account as `one`. */
function newestCopy(one: Readable, all: readonly Readable[]): Readable {
  const { accountId, userId } = one.credentials;
  if (accountId === undefined) return one;
  return all
    .filter(({ credentials }) => credentials.accountId === accountId && credentials.userId === userId)
    .reduce((a, b) => ((b.credentials.refreshedMs ?? 0) > (a.credentials.refreshedMs ?? 0) ? b : a));
}

async function importOne(ready: Readable, options: ImportOptions & ImportTarget): Promise<ImportOutcome> {
  const about = describe(ready);
  let planned: PlannedLogin | undefined;
  try {
    planned = await planLogin(ready, options.named, options);
    const { alias, same } = planned;
    if (options.dryRun) return { ...about, alias, result: same.includes(alias) ? "enrolled" : "imported" };
    const { change } = await importLogin(planned, options);
    return { ...about, alias, result: change };
  } catch (error) {
    // The user means this login, so its error is that of the command.
    if (options.named !== undefined) throw error;
    const isEnrolled =
      error instanceof CodexlbError &&
      (error.code === "login_older" || error.code === "already_enrolled" || error.code === "key_enrolled");
    return {
      ...about,
      alias: planned?.alias,
      result: isEnrolled ? "enrolled" : "skipped",
      reason: reasonIn(error, ready.login.path),
    };
  }
}

function describe({ program, login, credentials }: Readable): Omit<ImportOutcome, "result"> {
  return {
    file: login.path,
    program,
    email: credentials.email ?? login.email,
    workspace: credentials.accountId,
    plan: credentials.planType,
    api_url: credentials.apiBaseUrl,
  };
}

/** The message of `error` without the path, which the outcome names anyway. */
function reasonIn(error: unknown, path: string): string {
  return messageOf(error).replace(`reading ${path}: it `, "");
}
