// The client's side of auth/proof.ts: lets a proxy prove that it knows the secret, and then proves each request to it.
// This way neither a wrong address nor another program on the proxy's port ever gets the secret.

import { z } from "zod";
import { advised } from "../advice.ts";
import { keyIdOf, type Nonces, type ProvenRequest, proveRequest, proxyMac } from "../auth/proof.ts";
import { equalSecrets, hashOf, newSecret } from "../auth/secrets.ts";
import { readBounded } from "../bounded-fetch.ts";
import { parseJson } from "../core/json.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError } from "../errors.ts";
import { optionsToProxy } from "../network/egress.ts";
import { CHALLENGE_PATH } from "./challenge.ts";

/** A secret whose knowledge is proved, so that it is not sent. */
export interface Credential {
  /**
   * The `Authorization` header of `request` to the proxy at `base`; undefined if it is sent without one. Throws
   * `unauthorized` if the server there has to know the secret and does not.
   */
  authorize(
    base: string,
    request: ProvenRequest,
    signal: AbortSignal | undefined,
  ): Promise<string | undefined>;
  /** Whether the proxy at `base` has proved that it knows the secret. Throws as `authorize` does. */
  isProved(base: string, signal: AbortSignal | undefined): Promise<boolean>;
  /** Forgets the agreed nonces, because the proxy may have restarted. Returns true if there were any. */
  renew(): boolean;
}

/**
 * The origin of the secret, which decides what the proxy has to prove.
 * `given`: the user named the proxy and gave a secret for it. A proxy without support for proofs (the Go program, which
 * asks for no secret) gets requests without one, and the user is warned.
 * `own`: the user named no proxy, so it must be this root's proxy, listening at that very address.
 * `spare`: the user named a proxy but gave no secret, and it may be this root's. If it is not, requests carry no
 * secret.
 */
export type Origin = "given" | "own" | "spare";

export interface CredentialOptions extends Pick<Deps, "clock" | "random" | "log"> {
  readonly secret: string;
  readonly origin: Origin;
}

export function createCredential({ secret, origin, clock, random, log }: CredentialOptions): Credential {
  const sha256 = hashOf(secret);
  let agreed: { readonly terms: Terms; readonly base: string; readonly sinceMs: number } | undefined;
  let isWarned = false;
  const agree = async (base: string, signal: AbortSignal | undefined): Promise<Terms> => {
    if (agreed?.base === base && clock.now() - agreed.sinceMs < RENEW_MS) return agreed.terms;
    const terms = await challenge(base, signal);
    if (terms === "not at all" && origin === "given" && !isWarned) {
      isWarned = true;
      log.warn(
        `the proxy at ${base} does not support proofs (the Go program does not), so the token or key is not sent to it`,
      );
    }
    agreed = { terms, base, sinceMs: clock.now() };
    return terms;
  };
  const challenge = async (base: string, signal: AbortSignal | undefined): Promise<Terms> => {
    const nonce = newSecret(random);
    const response = await fetch(`${base}${CHALLENGE_PATH}`, {
      ...optionsToProxy(base),
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ key_id: keyIdOf(sha256), nonce }),
      redirect: "manual",
      decompress: false,
      signal: signal ?? AbortSignal.timeout(TIMEOUT_MS),
    });
    const answer = Answer.safeParse(parseJson(await startOf(response)));
    if (!answer.success || !response.ok) {
      if (origin !== "given") return stranger(base, origin);
      if (await greets(base, signal)) return "not at all";
      throw new CodexlbError("proxy_unreachable", `the server at ${base} is not a codexlb proxy`, {
        next: "check the proxy's address",
      });
    }
    const { port, proof } = answer.data;
    const nonces = { client: nonce, proxy: answer.data.nonce };
    if (!equalSecrets(proof, proxyMac(sha256, nonces, port))) return stranger(base, origin);
    // The port differs if a program in between forwards everything. It could change nothing, but read the responses.
    if (origin !== "given" && String(port) !== portOf(base)) return stranger(base, origin);
    return nonces;
  };
  return {
    authorize: async (base, request, signal) => {
      const terms = await agree(base, signal);
      if (terms === "not at all") return undefined;
      return proveRequest(sha256, terms, newSecret(random), request);
    },
    isProved: async (base, signal) => typeof (await agree(base, signal)) === "object",
    renew: () => {
      const had = typeof agreed?.terms === "object";
      if (had) agreed = undefined;
      return had;
    },
  };
}

/** True if the server at `base` claims to be a codexlb proxy, of this program or the Go program. This is no proof. */
export async function greets(base: string, signal: AbortSignal | undefined): Promise<boolean> {
  const response = await fetch(`${base}/`, {
    ...optionsToProxy(base),
    redirect: "manual",
    decompress: false,
    signal: signal ?? AbortSignal.timeout(TIMEOUT_MS),
  });
  return Greeting.safeParse(parseJson(await startOf(response))).success;
}

// --- internal ---

/** Half of the time that the proxy allows, because clocks differ and requests take time. */
const RENEW_MS = 30_000;
/** Generous: a proxy answers both requests from memory. */
const TIMEOUT_MS = 10_000;
/** Real responses are a few hundred bytes; another program may send anything. */
const ANSWER_BYTES = 16 * 1024;

const Greeting = z.looseObject({ service: z.literal("codexlb-proxy") });
const Answer = z.looseObject({
  nonce: z.string().regex(/^[\w-]{22,86}$/),
  port: z.int().min(0).max(65_535),
  proof: z.string().max(200),
});

/** How requests show the secret: by proofs over these nonces, or not at all. */
type Terms = Nonces | "not at all";

function stranger(base: string, origin: Origin): "not at all" {
  if (origin === "spare") return "not at all";
  throw origin === "own"
    ? new CodexlbError("unauthorized", `the server at ${base} is not this root's proxy`, {
        next: `find out which program listens there, or start the proxy on another address: ${advised("proxy", "--listen", "ADDRESS")}; to use another root's proxy, give --proxy-url and --admin-token`,
      })
    : new CodexlbError(
        "unauthorized",
        `the server at ${base} does not know this token or key, so the secret was not sent`,
        {
          next: "check the address and the token or key; that proxy's token is in its ROOT/admin.token, and codexlb key add NAME makes a key there",
        },
      );
}

function portOf(base: string): string {
  const { port, protocol } = new URL(base);
  return port || (protocol === "https:" ? "443" : "80");
}

/** The beginning of a response's text, which is all of it for the expected responses. */
async function startOf(response: Response): Promise<string> {
  return new TextDecoder().decode((await readBounded(response, ANSWER_BYTES)).bytes);
}
