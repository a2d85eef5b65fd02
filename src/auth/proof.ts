// How two programs prove to each other that they know the same secret (the admin token, a key) without sending it.
//
//   client -> proxy   key id, client nonce
//   proxy  -> client  proxy nonce, its port, a MAC over both nonces: it knows the secret
//   client -> proxy   a request with a MAC over both nonces and all that the request says
//
// The MACs are keyed with the SHA-256 of the secret, which is all that a proxy keeps of a key. No credential ever
// travels: a program in the middle that passes the challenge on can deliver the very requests that the client made,
// once each, and can neither change them nor make its own. What it reads and answers only TLS can protect.

import { createHmac } from "node:crypto";

/** The scheme of the header `Authorization` of a proven request. */
export const PROOF_SCHEME = "Codexlb-Proof";

/** Both sides' contribution: neither can replay an earlier exchange. */
export interface Nonces {
  readonly client: string;
  readonly proxy: string;
}

/** What a request says, as far as a proof covers it. */
export interface ProvenRequest {
  readonly method: string;
  /** Path and query, as the proxy sees them. */
  readonly target: string;
  /** The header that names the proxy of a chain which shall act; "" without one. */
  readonly proxyName: string;
  /** SHA-256 of the body in hex. */
  readonly bodySha256: string;
}

/** The header of a proven request, taken apart. */
export interface RequestProof {
  readonly keyId: string;
  readonly nonces: Nonces;
  /** Random: the same request can be made twice, and one proof serves once. */
  readonly serial: string;
  readonly bodySha256: string;
  readonly mac: string;
}

/** Names a secret without telling anything of it: secrets are 256 random bits. 32 hexadecimal digits. */
export function keyIdOf(secretSha256: string): string {
  return macOf(secretSha256, "key id").slice(0, KEY_ID_CHARS);
}

/** What the proxy answers to a challenge: only who knows the secret can. `port` is the one that it listens on. */
export function proxyMac(secretSha256: string, nonces: Nonces, port: number): string {
  return macOf(secretSha256, "proxy", nonces.client, nonces.proxy, String(port));
}

/** The header `Authorization` for `request`. */
export function proveRequest(
  secretSha256: string,
  nonces: Nonces,
  serial: string,
  request: ProvenRequest,
): string {
  const parts = [keyIdOf(secretSha256), nonces.client, nonces.proxy, serial, request.bodySha256];
  return `${PROOF_SCHEME} ${[...parts, requestMac(secretSha256, nonces, serial, request)].join(".")}`;
}

/** The proof in a header `Authorization`; undefined when it holds none. */
export function readProof(header: string): RequestProof | undefined {
  const found = PROOF.exec(header);
  if (found === null) return undefined;
  const [, keyId = "", client = "", proxy = "", serial = "", bodySha256 = "", mac = ""] = found;
  return { keyId, nonces: { client, proxy }, serial, bodySha256, mac };
}

/** What the proof of `request` has to be. */
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

/** True for what can be a nonce or a serial: 128 to 512 bits of base64url. */
export function isNonce(text: string): boolean {
  return NONCE.test(text);
}

// --- internal ---

const KEY_ID_CHARS = 32;
const NONCE = /^[\w-]{22,86}$/;
const PROOF =
  /^Codexlb-Proof ([0-9a-f]{32})\.([\w-]{22,86})\.([\w-]{22,86})\.([\w-]{22,86})\.([0-9a-f]{64})\.([\w-]{43})$/i;

/** Fields are sent with their lengths, so that no two lists of them are the same text. */
function macOf(secretSha256: string, purpose: string, ...fields: readonly string[]): string {
  const mac = createHmac("sha256", secretSha256);
  for (const field of ["codexlb proof 1", purpose, ...fields])
    mac.update(`${Buffer.byteLength(field)}:${field}`);
  return mac.digest(purpose === "key id" ? "hex" : "base64url");
}
