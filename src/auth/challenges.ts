// The proxy's side of auth/proof.ts: answers challenges and checks proven requests. It stores nothing for clients that
// have not proved anything.

import { createHmac } from "node:crypto";
import type { Deps } from "../deps.ts";
import {
  isNonce,
  type Nonces,
  type ProvenRequest,
  proxyMac,
  type RequestProof,
  readProof,
  requestMac,
} from "./proof.ts";
import { equalSecrets, newSecret } from "./secrets.ts";

export interface Challenge {
  readonly keyId: string;
  readonly nonce: string;
}

export interface ChallengeAnswer {
  readonly nonce: string;
  readonly port: number;
  readonly proof: string;
}

export interface Challenges {
  /** Responds to every challenge in the same way. For an unknown key, the proof matches no secret. */
  answer(challenge: Challenge): ChallengeAnswer;
  /**
   * The proof in `header`, if it proves `request` and has not been used before. The caller has to compare the body with
   * `bodySha256`.
   */
  check(header: string, request: Omit<ProvenRequest, "bodySha256">): RequestProof | undefined;
}

export interface ChallengesOptions extends Pick<Deps, "clock" | "random"> {
  /** The SHA-256 of the secret that `keyId` identifies. */
  readonly secretOf: (keyId: string) => string | undefined;
  /** The port that this proxy listens on. */
  readonly port: () => number;
}

/** How long the response to a challenge is valid, ms. A command sends a few requests; a longer one renews it. */
export const CHALLENGE_LIFETIME_MS = 60_000;

export function createChallenges({ clock, random, secretOf, port }: ChallengesOptions): Challenges {
  /** Authenticates the proxy's nonces, so that none has to be stored. They become invalid when the process exits. */
  const ownKey = newSecret(random);
  /** The MACs of used proofs, oldest first, each with the time at which it expires anyway. */
  const served = new Map<string, number>();
  const markOf = (keyId: string, clientNonce: string, head: string) =>
    createHmac("sha256", ownKey)
      .update(`${keyId} ${clientNonce} ${head}`)
      .digest("base64url")
      .slice(0, MARK_CHARS);
  const expiryOf = (keyId: string, { client, proxy }: Nonces): number | undefined => {
    const head = proxy.slice(0, -MARK_CHARS);
    if (!equalSecrets(proxy.slice(-MARK_CHARS), markOf(keyId, client, head))) return undefined;
    return Number.parseInt(head.slice(0, TIME_CHARS), 36) + CHALLENGE_LIFETIME_MS;
  };
  const isFirst = (mac: string, expiresMs: number, nowMs: number): boolean => {
    for (const [old, untilMs] of served) {
      if (untilMs > nowMs && served.size < MOST_SERVED) break;
      served.delete(old);
    }
    if (served.has(mac)) return false;
    served.set(mac, expiresMs);
    return true;
  };
  return {
    answer: ({ keyId, nonce }) => {
      const head =
        clock.now().toString(36).padStart(TIME_CHARS, "0") + newSecret(random).slice(0, MARK_CHARS);
      const nonces = { client: nonce, proxy: head + markOf(keyId, nonce, head) };
      // For an unknown key the work and the response must look the same, so a random secret takes its place.
      const secret = secretOf(keyId) ?? ownKey;
      return { nonce: nonces.proxy, port: port(), proof: proxyMac(secret, nonces, port()) };
    },
    check: (header, request) => {
      const proof = readProof(header);
      const secret = proof && secretOf(proof.keyId);
      if (proof === undefined || secret === undefined || !isNonce(proof.nonces.client)) return undefined;
      const { keyId, nonces, serial, bodySha256, mac } = proof;
      const nowMs = clock.now();
      const expiresMs = expiryOf(keyId, nonces);
      if (expiresMs === undefined || expiresMs < nowMs || expiresMs > nowMs + CHALLENGE_LIFETIME_MS)
        return undefined;
      if (!equalSecrets(mac, requestMac(secret, nonces, serial, { ...request, bodySha256 })))
        return undefined;
      return isFirst(mac, expiresMs, nowMs) ? proof : undefined;
    },
  };
}

// --- internal ---

/** Unix ms in base 36, until the year 5188. */
const TIME_CHARS = 9;
/** 132 bits of base64url. */
const MARK_CHARS = 22;
/** Only clients that know a secret can fill the list. Beyond this, the oldest proofs could be reused for a minute. */
const MOST_SERVED = 4_096;
