import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createAccess, secretsOf } from "../../src/auth/access.ts";
import { createChallenges } from "../../src/auth/challenges.ts";
import { openKeys } from "../../src/auth/keys.ts";
import { equalSecrets, readSecret, secretFile } from "../../src/auth/secrets.ts";
import { grantOfRefreshToken, grantOfStub, makeStub, pathKeyOf } from "../../src/auth/stub.ts";
import { systemDeps } from "../../src/deps.ts";
import { outcome } from "../support/outcome.ts";
import { tempDirectory } from "../support/temp.ts";

const deps = systemDeps();
const NOW_MS = deps.clock.now();
const DAY_MS = 86_400_000;
const stubNow = (key: string) => makeStub("pro", key, NOW_MS).tokens;
const ADMIN = "a".repeat(43);
const SIGNING = "s".repeat(43);

const asking = (headers: Record<string, string>) => new Request("http://127.0.0.1:1/", { headers });

function setup() {
  const temp = tempDirectory();
  const path = join(temp.path, "keys.json");
  const keys = openKeys(path, deps);
  const challenges = createChallenges({ ...deps, secretOf: secretsOf(ADMIN, keys), port: () => 1 });
  const access = createAccess({ ...deps, adminToken: ADMIN, signingKey: SIGNING, keys, challenges });
  return {
    path,
    keys,
    roleOf: (bearer: string) => access.roleOf(asking({ authorization: bearer })),
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
    expect(s.roleOf(`Bearer ${stubNow(SIGNING).access_token}`)).toBe("client");
  });

  test("nothing else", async () => {
    using s = setup();
    const removed = await s.keys.add("old", "client");
    await s.keys.remove("old");
    const stub = stubNow(SIGNING);
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
      `Bearer ${stubNow("another root's key".repeat(3)).access_token}`,
      `Bearer ${none}.${payload}.sig`,
      `Bearer ${none}.${payload}.${signature}`,
      `Bearer ${head}.${payload}.`,
      `Bearer ${head}.${payload}.${signature}.x`,
      `Bearer ${head}.${other}.${signature}`,
      `Bearer ${head}.${other}.${signedOther}`,
    ];
    for (const bearer of refused) expect([bearer, s.roleOf(bearer)]).toEqual([bearer, undefined]);
    expect(s.access.roleOf(asking({}))).toBeUndefined();
  });
});

describe("a stub", () => {
  test("is valid for 6 to 7 days, its refresh token for 30 days, and stubs of the same day are identical", () => {
    const midnight = NOW_MS - (NOW_MS % DAY_MS);
    const { access_token, refresh_token } = makeStub("pro", SIGNING, midnight + DAY_MS - 1).tokens;
    expect(makeStub("pro", SIGNING, midnight).tokens.access_token).toBe(access_token);
    expect(grantOfStub(access_token, SIGNING, midnight + 7 * DAY_MS - 1)).toBe("root");
    expect(grantOfStub(access_token, SIGNING, midnight + 7 * DAY_MS)).toBeUndefined();
    expect(grantOfRefreshToken(refresh_token, SIGNING, midnight + 30 * DAY_MS - 1)).toBe("root");
    expect(grantOfRefreshToken(refresh_token, SIGNING, midnight + 30 * DAY_MS)).toBeUndefined();
  });

  test("of an older version, without expiry or grant, is not accepted", () => {
    using s = setup();
    const { access_token } = stubNow(SIGNING);
    const [head, payload = ""] = access_token.split(".");
    const { codexlb_grant: _, ...claims } = JSON.parse(Buffer.from(payload, "base64url").toString());
    const old = `${head}.${Buffer.from(JSON.stringify({ ...claims, exp: 4_102_444_800 })).toString("base64url")}`;
    const signature = createHmac("sha256", SIGNING).update(old).digest("base64url");
    expect(s.roleOf(`Bearer ${old}.${signature}`)).toBeUndefined();
  });

  test("ends when its key is removed, and a new key with the same name does not revive it", async () => {
    using s = setup();
    const id = s.keys.find(await s.keys.add("laptop", "client"))?.id ?? "none";
    const { stub, pathKey } = s.access.credentialsFor(id, "pro");
    const { access_token, refresh_token } = stub.tokens;
    const opened = () => [
      s.roleOf(`Bearer ${access_token}`),
      s.access.roleOf(asking({}), pathKey),
      s.access.grantOfRefreshToken(refresh_token),
    ];
    expect(opened()).toEqual(["client", "client", id]);
    await s.keys.remove("laptop");
    expect(opened()).toEqual([undefined, undefined, undefined]);
    await s.keys.add("laptop", "client");
    expect(opened()).toEqual([undefined, undefined, undefined]);
  });

  test("of the root itself is accepted as long as the root's signing key stays the same", () => {
    using s = setup();
    using again = setup();
    expect(again.roleOf(`Bearer ${s.access.credentialsFor("root", "pro").stub.tokens.access_token}`)).toBe(
      "client",
    );
    expect(again.access.roleOf(asking({}), pathKeyOf(SIGNING, NOW_MS))).toBe("client");
    expect(again.access.roleOf(asking({}), pathKeyOf("k".repeat(43), NOW_MS))).toBeUndefined();
    expect(again.access.roleOf(asking({}), pathKeyOf(SIGNING, NOW_MS - 61 * DAY_MS))).toBeUndefined();
  });
});

describe("keys", () => {
  test("record their last use (also through stubs) to the minute, and write it later", async () => {
    using s = setup();
    const key = await s.keys.add("ci", "client");
    const lastUse = async (keys = s.keys) => (await keys.list())[0]?.lastUsedMs;
    expect(await lastUse()).toBeUndefined();
    s.roleOf(`Bearer ${key}`);
    const usedMs = (await lastUse()) ?? 0;
    expect(usedMs % 60_000).toBe(0);
    expect(Math.abs(deps.clock.now() - usedMs)).toBeLessThan(120_000);
    // Requests do not wait for the disk.
    expect(await lastUse(openKeys(s.path, deps))).toBeUndefined();
    s.keys.flush();
    expect(await lastUse(openKeys(s.path, deps))).toBe(usedMs);
    // An unknown id is ignored.
    s.roleOf(`Bearer ${ADMIN}`);
    s.keys.used("root");
    expect((await s.keys.list()).length).toBe(1);
  });

  test("are kept as hashes, for the owner only, and over a restart", async () => {
    using s = setup();
    const key = await s.keys.add("ci", "client");
    expect(key).toMatch(/^clb_[A-Za-z0-9_-]{43}$/);
    expect(readFileSync(s.path, "utf8")).not.toContain(key.slice(4));
    expect(statSync(s.path).mode & 0o777).toBe(0o600);
    expect(openKeys(s.path, deps).find(key)?.role).toBe("client");
  });

  test("have unique names", async () => {
    using s = setup();
    await s.keys.add("ci", "client");
    expect(await outcome(s.keys.add("ci", "parent"))).toThrow("the key ci exists already");
    for (const name of ["", "../x", "-a", "a b", "x".repeat(65)])
      expect(await outcome(s.keys.add(name, "client"))).toThrow("invalid key name");
    expect(await outcome(s.keys.remove("other"))).toThrow("there is no key other");
    expect((await s.keys.list()).map(({ name, role }) => [name, role])).toEqual([["ci", "client"]]);
  });

  test("in a damaged file let no client in", () => {
    using s = setup();
    writeFileSync(s.path, '{"version":1,"keys":[{');
    expect(() => openKeys(s.path, deps)).toThrow("the file is damaged");
  });
});

describe("secrets", () => {
  test("are created once, readable only by the owner; a truncated one is replaced", () => {
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

  test("are compared whole, whatever their length", () => {
    for (const [a, b, same] of [
      ["", "", true],
      ["a", "a", true],
      ["a", "b", false],
      ["a", "aa", false],
      ["x".repeat(10_000), "x".repeat(10_000), true],
    ] as const)
      expect(equalSecrets(a, b)).toBe(same);
  });

  test("that are public do not renew a stub", () => {
    const grantOf = (token: string) => grantOfRefreshToken(token, SIGNING, NOW_MS);
    expect(grantOf("codexlb-runtime-refresh")).toBeUndefined();
    expect(grantOf(stubNow(SIGNING).refresh_token)).toBe("root");
    expect(grantOf(stubNow("other".repeat(9)).refresh_token)).toBeUndefined();
  });
});
