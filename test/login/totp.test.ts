import { expect, test } from "bun:test";
import { totpCode } from "../../src/login/totp.ts";

// RFC 6238, appendix B (SHA1): the secret is "12345678901234567890", the codes are its last six digits.
const SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

test.each([
  [59, "287082"],
  [1_111_111_109, "081804"],
  [1_111_111_111, "050471"],
  [1_234_567_890, "005924"],
  [2_000_000_000, "279037"],
  [20_000_000_000, "353130"],
])("the code at %d seconds is %s", (seconds, code) => {
  expect(totpCode(SECRET, seconds * 1000)).toBe(code);
});

test("accepts a secret with the spaces and case in which apps show it", () => {
  expect(totpCode("gezd gnbv gy3t qojq gezd gnbv gy3t qojq", 59_000)).toBe("287082");
  expect(totpCode(`${SECRET}====`, 59_000)).toBe("287082");
});

test.each(["", "1890", "not base32!"])("rejects %p as a secret", (secret) => {
  expect(() => totpCode(secret, 0)).toThrow("the TOTP secret is not base32");
});

test("an otpauth address contains the secret", () => {
  expect(totpCode(`otpauth://totp/OpenAI:me?secret=${SECRET}&issuer=OpenAI`, 59_000)).toBe("287082");
  expect(totpCode(`otpauth://totp/x?secret=${SECRET}&algorithm=SHA1&digits=6&period=30`, 59_000)).toBe(
    "287082",
  );
  for (const other of [`totp/x?secret=${SECRET}&digits=8`, `hotp/x?secret=${SECRET}&counter=1`])
    expect(() => totpCode(`otpauth://${other}`, 0)).toThrow("requests codes other than");
  expect(() => totpCode("otpauth://totp/x?issuer=y", 0)).toThrow("the TOTP secret is not base32");
});
