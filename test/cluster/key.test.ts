import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { createPoolKey, poolKey } from "../../src/cluster/key.ts";
import { createKeyring } from "../../src/cluster/keyring.ts";
import { CodexlbError } from "../../src/errors.ts";
import { whyNoRedis } from "../support/redis.ts";
import { done, type Replica, startReplicas } from "../support/replicas.ts";
import { tempDirectory } from "../support/temp.ts";

const KEY = Buffer.alloc(32, 5).toString("base64");
const random = (bytes: number) => new Uint8Array(bytes).fill(9);

function problem(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof CodexlbError) return `${error.code}: ${error.message}; ${error.next}`;
    throw error;
  }
  return "none";
}

describe("the key of a pool", () => {
  test("is the one in the environment, else the one in the file", () => {
    using temp = tempDirectory();
    const keyFile = join(temp.path, "key");
    writeFileSync(keyFile, `${KEY}\n`, { mode: 0o600 });
    expect([...poolKey({ env: {}, keyFile })]).toEqual(Array(32).fill(5));
    const env = { CODEXLB_CLUSTER_KEY: Buffer.alloc(32, 6).toString("base64") };
    expect([...poolKey({ env, keyFile })]).toEqual(Array(32).fill(6));
  });

  test("is refused if it is missing, short, or readable for others; the message never shows it", () => {
    using temp = tempDirectory();
    const keyFile = join(temp.path, "key");
    expect(problem(() => poolKey({ env: {}, keyFile: "" }))).toContain("the cluster has no key; set cluster");
    expect(problem(() => poolKey({ env: {}, keyFile }))).toContain("no such file");
    writeFileSync(keyFile, KEY, { mode: 0o600 });
    chmodSync(keyFile, 0o640);
    expect(problem(() => poolKey({ env: {}, keyFile }))).toBe(
      `invalid_config: other users can access the cluster's key in ${keyFile}; run: chmod 600 ${keyFile}`,
    );
    for (const bad of ["short", `${KEY}${KEY}`, "not base64 at all!"]) {
      const said = problem(() => poolKey({ env: { CODEXLB_CLUSTER_KEY: bad }, keyFile: "" }));
      expect(said).toContain("the cluster's key in CODEXLB_CLUSTER_KEY is not 32 bytes in base64");
      expect(said).not.toContain(bad);
    }
  });

  test("that a joined replica lacks cannot be replaced by a new one, and no error advises that", () => {
    using temp = tempDirectory();
    const keyFile = join(temp.path, "key");
    const place = { env: {}, keyFile, isJoined: true };
    const next = "from another replica, or restore it from a backup";
    expect(problem(() => poolKey(place))).toEndWith(`no such file; copy the key file ${next}`);
    writeFileSync(keyFile, "garbage", { mode: 0o600 });
    expect(problem(() => poolKey(place))).toEndWith(`is not 32 bytes in base64; copy the key ${next}`);
  });

  test("is created once, private, and never over another one", () => {
    using temp = tempDirectory();
    const keyFile = join(temp.path, "key");
    expect(createPoolKey({ env: { CODEXLB_CLUSTER_KEY: KEY }, keyFile }, random)).toBeUndefined();
    expect(createPoolKey({ env: {}, keyFile }, random)).toBe(keyFile);
    expect(statSync(keyFile).mode & 0o777).toBe(0o600);
    expect([...poolKey({ env: {}, keyFile })]).toEqual(Array(32).fill(9));
    const before = readFileSync(keyFile, "utf8");
    expect(createPoolKey({ env: {}, keyFile }, () => new Uint8Array(32))).toBeUndefined();
    expect(readFileSync(keyFile, "utf8")).toBe(before);
  });
});

describe("the file of the key", () => {
  test("may be a symlink, whose target other users must not be able to read", () => {
    using temp = tempDirectory();
    const target = join(temp.path, "target");
    const keyFile = join(temp.path, "key");
    writeFileSync(target, KEY, { mode: 0o600 });
    symlinkSync(target, keyFile);
    expect([...poolKey({ env: {}, keyFile })]).toEqual(Array(32).fill(5));
    chmodSync(target, 0o644);
    expect(problem(() => poolKey({ env: {}, keyFile }))).toContain(
      "other users can access the cluster's key",
    );
  });

  test.each([
    [{}, "cluster.key_file in config.toml"],
    [{ CODEXLB_CLUSTER_KEY_FILE: "/keys" }, "CODEXLB_CLUSTER_KEY_FILE"],
  ])("must not be a directory; with %p the error names the setting to correct", (env, setting) => {
    using temp = tempDirectory();
    const place = { env, keyFile: temp.path };
    const expected = `file_unusable: reading ${temp.path}: it is a directory, not a file; name the key file in ${setting}`;
    expect(problem(() => poolKey(place))).toBe(expected);
    expect(problem(() => createPoolKey(place, random))).toBe(expected);
  });

  test("is not created in a missing directory, and the error says how to create that", () => {
    using temp = tempDirectory();
    const directory = join(temp.path, "missing");
    const place = { env: {}, keyFile: join(directory, "key") };
    expect(problem(() => createPoolKey(place, random))).toBe(
      `file_unusable: creating the key ${place.keyFile}: the directory ${directory} does not exist; create it: mkdir -p -m 700 ${directory}; or correct cluster.key_file in config.toml`,
    );
    mkdirSync(directory);
    expect(createPoolKey(place, random)).toBe(place.keyFile);
  });
});

test("a copied key file is used although the file of the next key cannot be", () => {
  using temp = tempDirectory();
  const place = { env: {}, keyFile: join(temp.path, "key") };
  writeFileSync(place.keyFile, KEY, { mode: 0o600 });
  const keyring = createKeyring(place, "default", random);
  const before = keyring.sealer.keyId;
  writeFileSync(place.keyFile, Buffer.alloc(32, 6).toString("base64"));
  writeFileSync(`${place.keyFile}.next`, "garbage", { mode: 0o600 });
  expect(keyring.use(({ keyId }) => keyId !== before)).toBe(true);
  expect(keyring.sealer.keyId).not.toBe(before);
});

test.skipIf(whyNoRedis !== undefined)(
  "without its key a replica is not restarted, and keeps running",
  async () => {
    await using pool = await startReplicas({ aliases: ["alice"], count: 1 });
    const [a] = pool.list as [Replica];
    const keyFile = pool.env.CODEXLB_CLUSTER_KEY_FILE!;
    renameSync(keyFile, `${keyFile}.away`);
    expect(await a.run("proxy", "restart")).toEqual({
      code: 1,
      out: "",
      err: `codexlb: the new proxy could not start: reading the cluster's key from ${keyFile}: no such file\n  copy the key file from another replica, or restore it from a backup; the running proxy was not stopped\n`,
    });
    expect((await fetch(`${a.url}/readyz`)).status).toBe(200);
    renameSync(`${keyFile}.away`, keyFile);
    await done(a.run("proxy", "restart"));
    await done(a.run("proxy", "stop"));
  },
  120_000,
);

test.skipIf(whyNoRedis !== undefined)(
  "with a key that does not open the pool a replica is not restarted, unless the server cannot be reached",
  async () => {
    await using pool = await startReplicas({ aliases: ["alice"], count: 1 });
    const [a] = pool.list as [Replica];
    const keyFile = pool.env.CODEXLB_CLUSTER_KEY_FILE!;
    const key = readFileSync(keyFile, "utf8");
    writeFileSync(keyFile, KEY);
    expect(await a.run("proxy", "restart")).toEqual({
      code: 1,
      out: "",
      err: expect.stringContaining(
        `codexlb: the new proxy could not start: using ${pool.redis.url}: the key does not open the pool default\n`,
      ),
    });
    expect((await fetch(`${a.url}/readyz`)).status).toBe(200);
    await pool.redis.kill();
    await done(a.run("proxy", "restart"));
    await pool.redis.restart();
    // The next key opens the pool.
    writeFileSync(`${keyFile}.next`, key, { mode: 0o600 });
    await done(a.run("proxy", "restart"));
    await done(a.run("proxy", "stop"));
  },
  120_000,
);
