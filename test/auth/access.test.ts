import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createAccess } from "../../src/auth/access.ts";
import { openKeys } from "../../src/auth/keys.ts";
import { equalSecrets, readSecret, secretFile } from "../../src/auth/secrets.ts";
import { isStubRefreshToken, makeStub } from "../../src/auth/stub.ts";
import { systemDeps } from "../../src/deps.ts";
import { tempDirectory } from "../support/temp.ts";

const deps = systemDeps();
const ADMIN = "a".repeat(43);
const SIGNING = "s".repeat(43);

function setup() {
  const temp = tempDirectory();
  const path = join(temp.path, "keys.json");
  const keys = openKeys(path, deps);
  const access = createAccess({ adminToken: ADMIN, signingKey: SIGNING, keys });
  return {
    path,
    keys,
    roleOf: (bearer: string) => access.roleOf(new Headers({ authorization: bearer })),
    access,
    [Symbol.dispose]: () => temp[Symbol.dispose](),
  };
}

describe("a role is proved by", () => {
  test("the admin token, a key, or a stub that this root signed", async () => {
    using s = setup();
    const client = await s.keys.add("ci", "client");
    const parent = await s.keys.add("front", "parent");
    expect(s.roleOf(`Bearer ${ADMIN}`)).toBe("admin");
    expect(s.roleOf(`bearer   ${ADMIN} `)).toBe("admin");
    expect(s.roleOf(`Bearer ${client}`)).toBe("client");
    expect(s.roleOf(`Bearer ${parent}`)).toBe("parent");
    expect(s.roleOf(`Bearer ${makeStub("pro", SIGNING, 0).tokens.access_token}`)).toBe("client");
  });

  test("nothing else", async () => {
    using s = setup();
    const removed = await s.keys.add("old", "client");
    await s.keys.remove("old");
    const stub = makeStub("pro", SIGNING, 0).tokens;
    const [head, payload, signature] = stub.access_token.split(".");
    const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString("base64url");
    const other = Buffer.from('{"sub":"someone"}').toString("base64url");
    const signedOther = createHmac("sha256", SIGNING).update(`${head}.${other}`).digest("base64url");
    const refused = [
      "",
      "Bearer",
      `Basic ${ADMIN}`,
      ADMIN,
      `Bearer ${ADMIN}x`,
      `Bearer ${ADMIN.slice(1)}`,
      `Bearer ${removed}`,
      `Bearer ${stub.refresh_token}`,
      `Bearer ${makeStub("pro", "another root's key".repeat(3), 0).tokens.access_token}`,
      `Bearer ${none}.${payload}.sig`,
      `Bearer ${none}.${payload}.${signature}`,
      `Bearer ${head}.${payload}.`,
      `Bearer ${head}.${payload}.${signature}.x`,
      `Bearer ${head}.${other}.${signature}`,
      `Bearer ${head}.${other}.${signedOther}`,
    ];
    for (const bearer of refused) expect([bearer, s.roleOf(bearer)]).toEqual([bearer, undefined]);
    expect(s.access.roleOf(new Headers())).toBeUndefined();
  });
});

describe("keys", () => {
  test("are kept as hashes, for the owner only, and over a restart", async () => {
    using s = setup();
    const key = await s.keys.add("ci", "client");
    expect(key).toMatch(/^clb_[A-Za-z0-9_-]{43}$/);
    expect(readFileSync(s.path, "utf8")).not.toContain(key.slice(4));
    expect(statSync(s.path).mode & 0o777).toBe(0o600);
    expect(openKeys(s.path, deps).roleOf(key)).toBe("client");
  });

  test("have names of their own", async () => {
    using s = setup();
    await s.keys.add("ci", "client");
    await expect(s.keys.add("ci", "parent")).rejects.toThrow("there is a key ci already");
    for (const name of ["", "../x", "-a", "a b", "x".repeat(65)])
      await expect(s.keys.add(name, "client")).rejects.toThrow("invalid key name");
    await expect(s.keys.remove("other")).rejects.toThrow("there is no key other");
    expect((await s.keys.list()).map(({ name, role }) => [name, role])).toEqual([["ci", "client"]]);
  });

  test("in a damaged file are no reason to let anybody in", () => {
    using s = setup();
    writeFileSync(s.path, '{"version":1,"keys":[{');
    expect(() => openKeys(s.path, deps)).toThrow("it is damaged");
  });
});

describe("secrets", () => {
  test("are made once, for the owner only; one that was cut is made anew", () => {
    using temp = tempDirectory();
    const path = join(temp.path, "made", "secret");
    const made = secretFile(path, deps.random);
    expect(made.length).toBe(43);
    expect(secretFile(path, deps.random)).toBe(made);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    writeFileSync(path, "short\n");
    expect(readSecret(path)).toBeUndefined();
    expect(secretFile(path, deps.random)).not.toBe(made);
  });

  test("are compared as wholes, of whatever length", () => {
    for (const [a, b, same] of [
      ["", "", true],
      ["a", "a", true],
      ["a", "b", false],
      ["a", "aa", false],
      ["x".repeat(10_000), "x".repeat(10_000), true],
    ] as const)
      expect(equalSecrets(a, b)).toBe(same);
  });

  test("that everybody knows do not renew a stub", () => {
    expect(isStubRefreshToken("codexlb-runtime-refresh", SIGNING)).toBe(false);
    expect(isStubRefreshToken(makeStub("pro", SIGNING, 0).tokens.refresh_token, SIGNING)).toBe(true);
    expect(isStubRefreshToken(makeStub("pro", "other".repeat(9), 0).tokens.refresh_token, SIGNING)).toBe(
      false,
    );
  });
});
