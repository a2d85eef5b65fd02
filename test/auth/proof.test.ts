import { describe, expect, test } from "bun:test";
import { CHALLENGE_LIFETIME_MS, createChallenges } from "../../src/auth/challenges.ts";
import { keyIdOf, type Nonces, type ProvenRequest, proveRequest, proxyMac } from "../../src/auth/proof.ts";
import { hashOf, newSecret } from "../../src/auth/secrets.ts";
import { systemDeps } from "../../src/deps.ts";
import { fakeClock } from "../support/clock.ts";

const { random } = systemDeps();
const SECRET = hashOf("the admin token");
const REQUEST: ProvenRequest = {
  method: "POST",
  target: "/admin/account/pin?x=1",
  proxyName: "edge",
  bodySha256: hashOf('{"alias":"alice"}'),
};

function setup() {
  const clock = fakeClock();
  const challenges = createChallenges({
    clock,
    random,
    secretOf: (id) => (id === keyIdOf(SECRET) ? SECRET : undefined),
    port: () => 8765,
  });
  const nonce = newSecret(random);
  const answer = challenges.answer({ keyId: keyIdOf(SECRET), nonce });
  const nonces: Nonces = { client: nonce, proxy: answer.nonce };
  const prove = (secret = SECRET, request = REQUEST) =>
    proveRequest(secret, nonces, newSecret(random), request);
  return { clock, challenges, nonce, answer, nonces, prove };
}

describe("a proxy", () => {
  test("proves that it knows a secret, bound to both nonces and its port", () => {
    const { answer, nonces } = setup();
    expect(answer.proof).toBe(proxyMac(SECRET, nonces, 8765));
    for (const other of [
      proxyMac(hashOf("another"), nonces, 8765),
      proxyMac(SECRET, { ...nonces, client: newSecret(random) }, 8765),
      proxyMac(SECRET, nonces, 8766),
    ])
      expect(other).not.toBe(answer.proof);
  });

  test("answers for an unknown secret in the same way as for a known one", () => {
    const { challenges, nonce, answer } = setup();
    const unknown = challenges.answer({ keyId: "0".repeat(32), nonce });
    const shapeOf = ({ nonce, port, proof }: typeof unknown) => [nonce.length, port, proof.length];
    expect(shapeOf(unknown)).toEqual(shapeOf(answer));
  });
});

describe("a request", () => {
  test("has a proof that is valid once and only for the unchanged request", () => {
    const { challenges, prove } = setup();
    const header = prove();
    for (const change of [{ method: "GET" }, { target: "/admin/account/rm" }, { proxyName: "" }])
      expect([change, challenges.check(header, { ...REQUEST, ...change })]).toEqual([change, undefined]);
    expect(challenges.check(header.replace(REQUEST.bodySha256, hashOf("")), REQUEST)).toBeUndefined();
    expect(challenges.check(header, REQUEST)?.bodySha256).toBe(REQUEST.bodySha256);
    expect(challenges.check(header, REQUEST)).toBeUndefined();
    // A second proof of the same request differs.
    expect(challenges.check(prove(), REQUEST)).toBeDefined();
  });

  test("is not proved by another secret or with nonces of another proxy", () => {
    const { challenges, prove, nonce } = setup();
    expect(challenges.check(prove(hashOf("another")), REQUEST)).toBeUndefined();
    const { nonces } = setup();
    const made = { client: nonce, proxy: newSecret(random) };
    for (const foreign of [nonces, made])
      expect(
        challenges.check(proveRequest(SECRET, foreign, newSecret(random), REQUEST), REQUEST),
      ).toBeUndefined();
    for (const junk of ["", "Codexlb-Proof", `Codexlb-Proof ${"a.".repeat(5)}a`, "Bearer x"])
      expect(challenges.check(junk, REQUEST)).toBeUndefined();
  });

  test("can be proved for one minute after the challenge", () => {
    const { challenges, prove, clock } = setup();
    clock.advance(CHALLENGE_LIFETIME_MS);
    expect(challenges.check(prove(), REQUEST)).toBeDefined();
    clock.advance(1);
    expect(challenges.check(prove(), REQUEST)).toBeUndefined();
  });
});
