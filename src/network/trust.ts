// The certificates that connections trust. Bun itself reads SSL_CERT_FILE, SSL_CERT_DIR and NODE_EXTRA_CA_CERTS when it
// starts, and the executable is built to read the system's store as well. What Bun does not know is
// CODEX_CA_CERTIFICATE, with which a user of Codex names the same file.

import { readFileSync } from "node:fs";
import { getCACertificates } from "node:tls";
import type { Deps } from "../deps.ts";
import { CodexlbError, messageOf } from "../errors.ts";

/** Certificates that take the place of Bun's own choice, which is part of them. */
export interface Trust {
  /** PEM. */
  readonly ca: readonly string[];
  /** Shares them between requests: given with each request, they would be parsed each time (0.3 ms). */
  readonly session: Bun.FetchSession;
}

/** The variable of Codex that names a PEM file with certificates of further authorities. */
export const CODEX_CA = "CODEX_CA_CERTIFICATE";

/**
 * What to trust; undefined for Bun's own choice, as long as `CODEX_CA_CERTIFICATE` is not set. The file is read once per
 * process. Throws `invalid_config` if it cannot be read or holds no certificate.
 */
export function trustOf(env: Deps["env"]): Trust | undefined {
  const path = env[CODEX_CA]?.trim();
  if (!path) return undefined;
  const known = read.get(path);
  if (known !== undefined) return known;
  const own = certificatesIn(path);
  const ca = [...new Set([...getCACertificates("default"), ...getCACertificates("system"), own])];
  const trust = { ca, session: new Bun.FetchSession({ tls: { ca } }) };
  read.set(path, trust);
  return trust;
}

// --- internal ---

const read = new Map<string, Trust>();

function certificatesIn(path: string): string {
  const doing = `reading ${CODEX_CA}=${path}`;
  const next = "set the variable to a PEM file with certificates, or unset it";
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new CodexlbError("invalid_config", `${doing}: ${messageOf(error)}`, { next, cause: error });
  }
  if (!text.includes("-----BEGIN CERTIFICATE-----"))
    throw new CodexlbError("invalid_config", `${doing}: the file contains no certificate`, { next });
  return text;
}
