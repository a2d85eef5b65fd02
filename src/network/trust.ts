// The certificates that connections trust. Bun itself reads SSL_CERT_FILE, SSL_CERT_DIR and NODE_EXTRA_CA_CERTS when it
// starts, and the executable is built to read the system's store as well. Bun does not know CODEX_CA_CERTIFICATE, which
// Codex users set to the same kind of file.

import { readFileSync } from "node:fs";
import { getCACertificates } from "node:tls";
import type { Deps } from "../deps.ts";
import { CodexlbError, systemProblem } from "../errors.ts";

/** Certificates to trust instead of Bun's default, which they include. */
export interface Trust {
  /** PEM. */
  readonly ca: readonly string[];
  /** Shares the parsed certificates between requests; parsing takes 0.3 ms. */
  readonly session: Bun.FetchSession;
}

/** Codex's variable for a PEM file with further certificate authorities. */
export const CODEX_CA = "CODEX_CA_CERTIFICATE";

/**
 * The certificates to trust; undefined (Bun's default) unless `CODEX_CA_CERTIFICATE` is set. Reads the file once per
 * process. Throws `invalid_config` if it cannot be read or contains no certificate.
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
    throw new CodexlbError("invalid_config", `${doing}: ${systemProblem(error)}`, { next, cause: error });
  }
  if (!text.includes("-----BEGIN CERTIFICATE-----"))
    throw new CodexlbError("invalid_config", `${doing}: the file contains no certificate`, { next });
  return text;
}
