import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { readClaims } from "../../src/auth/claims.ts";
import { checkRuntimeAuth } from "../../src/auth/runtime-auth.ts";
import { grantOfStub, makeStub, ownerOfStub, withThreadOwner } from "../../src/auth/stub.ts";
import { tempDirectory } from "../support/temp.ts";

const KEY = "k".repeat(32);
const STUB = makeStub("team", KEY, 0);
const OWNER = { accountId: "acct-mine", userId: "user-mine" };

test("a stub that names the owner of a login differs only in the id token and the account id", () => {
  const { tokens, ...rest } = withThreadOwner(STUB, OWNER);
  expect(rest).toEqual({ OPENAI_API_KEY: null, auth_mode: "chatgpt", last_refresh: STUB.last_refresh });
  expect(tokens.access_token).toBe(STUB.tokens.access_token);
  expect(tokens.refresh_token).toBe(STUB.tokens.refresh_token);
  expect(tokens.account_id).toBe("acct-mine");
  expect(readClaims(tokens.id_token)).toMatchObject({
    email: "proxy-only@codexlb.internal",
    chatgptAccountId: "acct-mine",
    chatgptUserId: "user-mine",
    planType: "team",
  });
  expect(ownerOfStub(tokens.id_token)).toEqual(OWNER);
  expect(ownerOfStub(STUB.tokens.id_token)).toBeUndefined();
});

test("its id token is no credential", () => {
  expect(grantOfStub(withThreadOwner(STUB, OWNER).tokens.id_token, KEY, 0)).toBeUndefined();
});

test("a home with it is valid, and not if the ids differ", () => {
  using temp = tempDirectory();
  const check = (auth: unknown) => {
    writeFileSync(join(temp.path, "auth.json"), JSON.stringify(auth));
    return checkRuntimeAuth(temp.path);
  };
  const named = withThreadOwner(STUB, OWNER);
  expect(check(named)).toMatchObject({ ok: true, account_id: "acct-mine" });
  expect(check({ ...named, tokens: { ...named.tokens, account_id: "other" } })).toMatchObject({
    ok: false,
    issue: 'tokens.account_id is "other", not "acct-mine"',
  });
});
