// Reads the files of a release from a directory or a URL.

import { readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { readBounded } from "../bounded-fetch.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError, connectProblem, messageOf, systemCodeOf } from "../errors.ts";
import { egressProblem } from "../network/connect-problem.ts";
import { createOutbound, fetchOptions } from "../network/egress.ts";
import { isPrivateHost } from "../network/private-hosts.ts";
import { IdleTimer } from "./idle-timer.ts";

export interface ReleaseSource {
  /** The directory or URL, for messages. */
  readonly place: string;
  /** Reads the file `name`. Throws `upgrade_failed` if the file is missing, unreadable or larger than `limitBytes`. */
  read(name: string, limitBytes: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** When to give up a download. */
export interface DownloadLimits {
  /** The longest wait for the response and for each part of it, ms. Default: 30 s. */
  readonly idleMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The source that `from` names. A URL must be https, or http to this machine or its private network, because the
 * checksums come from the same place. Throws `usage`.
 */
export function releaseSource(
  from: string,
  { env }: Pick<Deps, "env">,
  limits: DownloadLimits = {},
): ReleaseSource {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(from)) return directorySource(resolve(from));
  const url = URL.canParse(from) ? new URL(from) : undefined;
  if (url === undefined || !isTrusted(url))
    throw new CodexlbError("usage", `flag --from: ${JSON.stringify(from)} is not an https URL`, {
      next: "name a directory or an https URL that contains SHA256SUMS",
    });
  return urlSource(url, env, limits);
}

// --- internal ---

const MOST_REDIRECTS = 5;
/** The limit for one file. A slow connection needs minutes for 50 MB. */
const DOWNLOAD_MS = 30 * 60_000;
const IDLE_MS = 30_000;

function directorySource(directory: string): ReleaseSource {
  return {
    place: directory,
    read: async (name, limitBytes) => {
      const path = join(directory, name);
      try {
        if (statSync(path).size > limitBytes) throw new Error(tooLarge(limitBytes));
        return new Uint8Array(readFileSync(path));
      } catch (error) {
        throw failed(path, systemCodeOf(error) === "ENOENT" ? "no such file" : messageOf(error), error);
      }
    },
  };
}

function urlSource(
  base: URL,
  env: Deps["env"],
  { idleMs = IDLE_MS, signal: stop }: DownloadLimits,
): ReleaseSource {
  const outbound = createOutbound({ env });
  const place = base.href.replace(/\/+$/, "");
  return {
    place,
    read: async (name, limitBytes) => {
      let url = `${place}/${name}`;
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
            if (!isTrusted(to)) throw new Error(`the server redirects to ${to.href}, which is not https`);
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
            : (egressProblem(error, url, egress) ?? connectProblem(error));
          throw failed(url, why, error);
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

function failed(what: string, why: string, cause: unknown): CodexlbError {
  return new CodexlbError("upgrade_failed", `reading ${what}: ${why}`, {
    next: "check --from: it must be a directory or URL with a release's SHA256SUMS and archives",
    cause,
  });
}
