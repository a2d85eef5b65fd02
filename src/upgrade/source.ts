// Reads the files of a release from a directory or a URL.

import { readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { readBounded } from "../bounded-fetch.ts";
import { withoutTrailingSlash } from "../core/urls.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError, systemProblem } from "../errors.ts";
import { egressProblem } from "../network/connect-problem.ts";
import { createOutbound, fetchOptions } from "../network/egress.ts";
import { withoutPassword } from "../network/outbound-proxy.ts";
import { isPrivateHost } from "../network/private-hosts.ts";
import { IdleTimer } from "./idle-timer.ts";

export interface ReleaseSource {
  /** The directory or URL, for messages: without a password. */
  readonly place: string;
  /** Where the user named it, for messages. */
  readonly by: string;
  /** The path or URL of the file `name`, for messages. */
  nameOf(name: string): string;
  /** Reads the file `name`. Throws `upgrade_failed` if the file is missing, unreadable or larger than `limitBytes`. */
  read(name: string, limitBytes: number): Promise<Uint8Array<ArrayBuffer>>;
}

export interface SourceOptions {
  /** Where the user named the source, for messages: `--from` (the default) or a variable. */
  readonly by?: string;
  /** The longest wait for the response and for each part of it, ms. Default: 30 s. */
  readonly idleMs?: number;
  /** Cancels a download. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The source that `from` names. A URL must be https, or http to this machine or its private network, because the
 * checksums come from the same place. Throws `usage`.
 */
export function releaseSource(
  from: string,
  { env }: Pick<Deps, "env">,
  options: SourceOptions = {},
): ReleaseSource {
  const { by = "--from" } = options;
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(from)) return directorySource(resolve(from), by);
  const url = URL.canParse(from) ? new URL(from) : undefined;
  if (url === undefined || !isTrusted(url))
    throw new CodexlbError("usage", `${by}: ${JSON.stringify(withoutPassword(from))} is not an https URL`, {
      next: "name a directory or an https URL that contains SHA256SUMS",
    });
  return urlSource(url, env, { ...options, by });
}

// --- internal ---

const MOST_REDIRECTS = 5;
/** The limit for one file. A slow connection needs minutes for 50 MB. */
const DOWNLOAD_MS = 30 * 60_000;
const IDLE_MS = 30_000;

function directorySource(directory: string, by: string): ReleaseSource {
  return {
    place: directory,
    by,
    nameOf: (name) => join(directory, name),
    read: async (name, limitBytes) => {
      const path = join(directory, name);
      try {
        if (statSync(path).size > limitBytes) throw new Error(tooLarge(limitBytes));
        return new Uint8Array(readFileSync(path));
      } catch (error) {
        throw failed(path, by, systemProblem(error), error);
      }
    },
  };
}

function urlSource(
  base: URL,
  env: Deps["env"],
  { by, idleMs = IDLE_MS, signal: stop }: SourceOptions & Required<Pick<SourceOptions, "by">>,
): ReleaseSource {
  const outbound = createOutbound({ env });
  const urlOf = (name: string) => {
    const url = new URL(base);
    url.pathname = `${withoutTrailingSlash(url.pathname)}/${name}`;
    return url.href;
  };
  return {
    place: withoutPassword(withoutTrailingSlash(base.href)),
    by,
    nameOf: (name) => withoutPassword(urlOf(name)),
    read: async (name, limitBytes) => {
      let url = urlOf(name);
      const idle = new IdleTimer(idleMs);
      const signal = AbortSignal.any([
        AbortSignal.timeout(DOWNLOAD_MS),
        idle.signal,
        ...(stop ? [stop] : []),
      ]);
      for (let redirects = 0; ; redirects++) {
        const egress = outbound.toBackend(url);
        idle.restart();
        try {
          const response = await fetch(url, { ...fetchOptions(egress), redirect: "manual", signal });
          const location = response.headers.get("location");
          if (response.status >= 300 && response.status < 400 && location !== null) {
            await response.body?.cancel();
            const to = new URL(location, url);
            if (redirects === MOST_REDIRECTS) throw new Error("too many redirects");
            if (!isTrusted(to))
              throw new Error(`the server redirects to ${withoutPassword(to.href)}, which is not https`);
            url = to.href;
            continue;
          }
          if (!response.ok) throw new Error(`the server returned status ${response.status}`);
          const { bytes, isWhole } = await readBounded(idle.watch(response), limitBytes);
          if (!isWhole) throw new Error(tooLarge(limitBytes));
          return bytes;
        } catch (error) {
          const why = idle.signal.aborted
            ? `the server sent nothing for ${idleMs / 1000} s`
            : egressProblem(error, url, egress);
          throw failed(withoutPassword(url), by, why, error);
        } finally {
          idle.stop();
        }
      }
    },
  };
}

function isTrusted({ protocol, hostname }: URL): boolean {
  return protocol === "https:" || (protocol === "http:" && isPrivateHost(hostname));
}

function tooLarge(limitBytes: number): string {
  return `the file is larger than ${limitBytes / 1024 / 1024} MiB`;
}

function failed(what: string, by: string, why: string, cause: unknown): CodexlbError {
  return new CodexlbError("upgrade_failed", `reading ${what}: ${why}`, {
    next: `check ${by}: it must be a directory or URL with a release's SHA256SUMS and archives`,
    cause,
  });
}
