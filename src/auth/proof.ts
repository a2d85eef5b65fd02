// How two programs prove to each other that they know the same secret (the admin token, a key) without sending it.
//
//   client -> proxy   key id, client nonce
//   proxy  -> client  proxy nonce, its port, a MAC over both nonces: it knows the secret
//   client -> proxy   a request with a MAC over both nonces and the content of the request
//
// The MACs are keyed with the SHA-256 of the secret, because that is all that a proxy keeps of a key. The secret is
// never sent. A program in the middle that forwards the challenge can deliver each of the client's requests once, but
// it can neither change them nor make its own. Only TLS prevents it from reading requests and forging responses.

import { createHmac } from "node:crypto";

/** The scheme of the `Authorization` header of a proven request. */
export const PROOF_SCHEME = "Codexlb-Proof";

/** One nonce from each side, so that neither can replay an earlier exchange. */
export interface Nonces {
  readonly client: string;
  readonly proxy: string;
}

/** The parts of a request that a proof covers. */
export interface ProvenRequest {
  readonly method: string;
  /** Path and query, as the proxy sees them. */
  readonly target: string;
  /** The value of the header that names the target proxy of a chain; "" without one. */
  readonly proxyName: string;
  /** SHA-256 of the body in hex. */
  readonly bodySha256: string;
}

/** The parsed header of a proven request. */
export interface RequestProof {
  readonly keyId: string;
  readonly nonces: Nonces;
  /** Random, because a proof is valid only once and the same request can be made twice. */
  readonly serial: string;
  readonly bodySha256: string;
  readonly mac: string;
}

/** Identifies a secret in 32 hexadecimal digits without revealing anything about it: secrets are 256 random bits. */
export function keyIdOf(secretSha256: string): string {
  return macOf(secretSha256, "key id").slice(0, KEY_ID_CHARS);
}

/** The proxy's proof in response to a challenge: it takes the secret to compute. `port` is the proxy's own. */
export function proxyMac(secretSha256: string, nonces: Nonces, port: number): string {
  return macOf(secretSha256, "proxy", nonces.client, nonces.proxy, String(port));
}

/** The `Authorization` header for `request`. */
export function proveRequest(
  secretSha256: string,
  nonces: Nonces,
  serial: string,
  request: ProvenRequest,
): string {
  const parts = [keyIdOf(secretSha256), nonces.client, nonces.proxy, serial, request.bodySha256];
  return `${PROOF_SCHEME} ${[...parts, requestMac(secretSha256, nonces, serial, request)].join(".")}`;
}

/** The proof in an `Authorization` header; undefined if there is none. */
export function readProof(header: string): RequestProof | undefined {
  const found = PROOF.exec(header);
  if (found === null) return undefined;
  const [, keyId = "", client = "", proxy = "", serial = "", bodySha256 = "", mac = ""] = found;
  return { keyId, nonces: { client, proxy }, serial, bodySha256, mac };
}

/** The MAC that a proof of `request` must contain. */
export function requestMac(
  secretSha256: string,
  nonces: Nonces,
  serial: string,
  request: ProvenRequest,
): string {
  return macOf(
    secretSha256,
    "request",
    nonces.client,
    nonces.proxy,
    serial,
    request.method,
    request.target,
    request.proxyName,
    request.bodySha256,
  );
}

/** True for a valid nonce or serial: 128 to 512 bits of base64url. */
export function isNonce(text: string): boolean {
  return NONCE.test(text);
}

// --- internal ---

const KEY_ID_CHARS = 32;
const NONCE = /^[\w-]{22,86}$/;
const PROOF =
  /^Codexlb-Proof ([0-9a-f]{32})\.([\w-]{22,86})\.([\w-]{22,86})\.([\w-]{22,86})\.([0-9a-f]{64})\.([\w-]{43})$/i;

/** Each field is preceded by its length, so that different lists of fields never give the same text. */
function macOf(secretSha256: string, purpose: string, ...fields: readonly string[]): string {
  const mac = createHmac("sha256", secretSha256);
  for (const field of ["codexlb proof 1", purpose, ...fields])
    mac.update(`${Buffer.byteLength(field)}:${field}`);
  return mac.digest(purpose === "key id" ? "hex" : "base64url");
}
