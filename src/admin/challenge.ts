// `POST /admin/challenge`: proves to a client that this proxy knows the client's secret, so that the client can prove
// the same in turn (auth/proof.ts). It needs no credentials, and does not reveal which secrets exist.

import { Hono } from "hono";
import { z } from "zod";
import type { Challenges } from "../auth/challenges.ts";
import { isNonce } from "../auth/proof.ts";
import { body, boundedBody, jsonOnly } from "./requests.ts";

export const CHALLENGE_PATH = "/admin/challenge";

export interface ChallengeContext {
  readonly challenges: Pick<Challenges, "answer">;
}

export function challengeRoutes({ challenges }: ChallengeContext): Hono {
  const app = new Hono();
  app.post(
    CHALLENGE_PATH,
    boundedBody(CHALLENGE_LIMIT_BYTES),
    jsonOnly,
    body("challenge", ChallengeRequest),
    (c) => {
      const { key_id, nonce } = c.req.valid("json");
      return c.json(challenges.answer({ keyId: key_id, nonce }));
    },
  );
  return app;
}

// --- internal ---

/** Enough for an identifier and a nonce. */
const CHALLENGE_LIMIT_BYTES = 4 * 1024;

const ChallengeRequest = z.strictObject({
  key_id: z.string().regex(/^[0-9a-f]{32}$/, "must be 32 hexadecimal digits"),
  nonce: z.string().refine(isNonce, "must be 22 to 86 characters of base64url"),
});
