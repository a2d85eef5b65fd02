// Explains failed connections, also those whose cause is a certificate or the outbound proxy.

import { connectProblem, messageOf, systemCodeOf } from "../errors.ts";
import type { Egress } from "./egress.ts";

/**
 * Explains why `thrown` ended a request to `url`, in the system's words. For an untrusted certificate, names the host and
 * the remedy. If there was an outbound proxy, names it without the password.
 */
export function egressProblem(thrown: unknown, url: string, { proxy }: Egress): string {
  const code = systemCodeOf(thrown) ?? "";
  // Bun does not report whether the certificate was the host's or the proxy's.
  const hostname = [url, ...(proxy?.startsWith("https:") ? [proxy] : [])]
    .map((one) => new URL(one).hostname)
    .join(" or of the outbound proxy ");
  const problem = certificateProblem(code, hostname);
  if (problem !== undefined) return problem;
  if (proxy === undefined) return connectProblem(thrown);
  const refusal = /\bProxy (?:refused|connection failed|authentication required)[^:]*: (\d{3}.*)$/i.exec(
    messageOf(thrown),
  )?.[1];
  return refusal === undefined
    ? `through the outbound proxy ${new URL(proxy).host}: ${connectProblem(thrown)}`
    : refusedBy(proxy, refusal);
}

/** What is wrong with the certificate of `hostname` if a connection failed with `code`; undefined for other failures. */
export function certificateProblem(code: string, hostname: string): string | undefined {
  if (UNTRUSTED.has(code))
    return `the certificate of ${hostname} is not trusted (${code}); if your network has its own certificate authority, set SSL_CERT_FILE or CODEX_CA_CERTIFICATE to its PEM file and restart`;
  if (code === "CERT_HAS_EXPIRED")
    return `the certificate of ${hostname} has expired; check this machine's clock`;
  return code === "ERR_TLS_CERT_ALTNAME_INVALID"
    ? `the certificate of ${hostname} is for another host`
    : undefined;
}

/**
 * The problem if a response with `status` comes from the outbound proxy itself, which is possible only over plain http.
 * Undefined if the response comes from the target server.
 */
export function proxyRefusal(status: number, { proxy }: Egress): string | undefined {
  if (status !== 407 || proxy === undefined) return undefined;
  return refusedBy(proxy, "407 Proxy Authentication Required");
}

// --- internal ---

/** `refusal`: the status and its text. */
function refusedBy(proxy: string, refusal: string): string {
  const remedy = refusal.startsWith("407") ? " (put the user and password into the proxy's URL)" : "";
  return `the outbound proxy ${new URL(proxy).host} refused the connection: ${refusal}${remedy}`;
}

const UNTRUSTED: ReadonlySet<string> = new Set([
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
]);
