import { expect, test } from "bun:test";
import { egressProblem } from "../../src/network/connect-problem.ts";

const failed = (code: string, message = "") => Object.assign(new Error(message), { code });
const PROXY = "http://me:secret@proxy.corp:3128";

test.each([
  [
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    undefined,
    /^the certificate of chatgpt\.com is not trusted \(.*SSL_CERT_FILE/,
  ],
  ["SELF_SIGNED_CERT_IN_CHAIN", PROXY, /^the certificate of chatgpt\.com is not trusted/],
  [
    "SELF_SIGNED_CERT_IN_CHAIN",
    "https://me:secret@proxy.corp",
    /^the certificate of chatgpt\.com or of the outbound proxy proxy\.corp is not trusted/,
  ],
  ["CERT_HAS_EXPIRED", undefined, /^the certificate of chatgpt\.com has expired/],
  ["ERR_TLS_CERT_ALTNAME_INVALID", undefined, /^the certificate of chatgpt\.com is for another host$/],
  ["ECONNREFUSED", PROXY, /^through the outbound proxy proxy\.corp:3128: connection refused$/],
])("%s through %s is explained", (code, proxy, expected) => {
  const problem = egressProblem(failed(code), "https://chatgpt.com/x", { proxy, trust: undefined });
  expect(problem).toMatch(expected);
  expect(problem).not.toContain("secret");
});

test("a failure of a direct connection is named in the words of the system", () => {
  const direct = { proxy: undefined, trust: undefined };
  expect(egressProblem(failed("ECONNREFUSED"), "https://chatgpt.com", direct)).toBe("connection refused");
});
