// `codexlb cluster leave` and `export` of a root whose settings or server lead to another pool, or to none.

import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { whyNoRedis } from "../support/redis.ts";
import { done, type Replica, type Replicas, startReplicas } from "../support/replicas.ts";

/** Runs `cluster leave` on the root of `replica` with the variables `env` instead of those of the pool. */
const leave = (
  pool: Replicas,
  { layout }: Replica,
  env: Record<string, string>,
  ...flags: readonly string[]
) => pool.tool.run(["cluster", "leave", "--root", layout.root, ...flags], env);

/** One replica, whose proxy does not run. */
async function stoppedReplica(): Promise<Replicas & { readonly replica: Replica }> {
  const pool = await startReplicas({ aliases: ["alice"], count: 1 });
  const [replica] = pool.list as [Replica];
  await replica.stop();
  return { ...pool, replica };
}

describe.skipIf(whyNoRedis !== undefined)("a replica", () => {
  test("leaves the pool that it has joined, even if config.toml names another one", async () => {
    await using pool = await stoppedReplica();
    const { replica } = pool;
    writeFileSync(replica.layout.config, '[cluster]\npool = "renamed"\n');
    const { out } = await done(replica.run("cluster", "leave", "--last"));
    expect(out).toStartWith("left the pool default; ");
    expect(existsSync(replica.layout.cluster)).toBe(false);
  }, 60_000);

  test("that is the last one leaves only with --last, because then only the server has the accounts", async () => {
    await using pool = await stoppedReplica();
    const { replica, env, directory } = pool;
    const refused = await replica.run("cluster", "leave");
    expect(refused).toEqual({
      code: 1,
      out: "",
      err: `codexlb: this is the last replica of the pool default: after it leaves, only ${pool.redis.url} has 1 account and 0 keys\n  copy the pool into a root that works alone: codexlb cluster export DIR; or keep it only on the server: codexlb cluster leave --last\n`,
    });
    expect(readdirSync(replica.layout.accounts)).toEqual(["alice"]);
    const other = join(directory, "other");
    await done(pool.tool.run(["cluster", "join", "--root", other], env));
    await pool.tool
      .start(["proxy", "--root", other, "--listen", "127.0.0.1:0"], env)
      .then((one) => one.stop());
    await done(replica.run("cluster", "leave"));
    expect(existsSync(replica.layout.cluster)).toBe(false);
    await done(pool.tool.run(["cluster", "leave", "--root", other, "--last"], env));
    expect(existsSync(join(other, "cluster.json"))).toBe(false);
  }, 60_000);

  test("copies no other pool that has the name of its own into a root", async () => {
    await using pool = await stoppedReplica();
    const { replica, redis, env, directory } = pool;
    await redis.cli("FLUSHALL");
    const other = join(directory, "other");
    await done(pool.tool.run(["cluster", "init", "--empty", "--root", other], env));
    const copy = join(directory, "copy");
    const { code, err } = await replica.run("cluster", "export", copy);
    expect([code, err]).toEqual([1, expect.stringContaining("is not the one that this root has joined")]);
    expect(existsSync(copy)).toBe(false);
  }, 60_000);

  test("leaves only with --force if the server is not set, cannot be reached, or has another pool", async () => {
    await using pool = await stoppedReplica();
    const { replica, redis, env } = pool;
    const refusal = async (from: Record<string, string>) => {
      const { code, err } = await leave(pool, replica, from);
      expect(code).toBe(1);
      expect(err.replace(/\s+/g, " ")).toContain(
        `codexlb cluster leave --root ${replica.layout.root} --force`,
      );
      expect(readdirSync(replica.layout.accounts)).toEqual(["alice"]);
      return err;
    };
    expect(await refusal({})).toContain("cluster.url is not set");
    await redis.cli("FLUSHALL");
    expect(await refusal(env)).toContain("the pool default is not on");
    const other = join(pool.directory, "other");
    await done(pool.tool.run(["cluster", "init", "--empty", "--root", other], env));
    expect(await refusal(env)).toContain("is not the one that this root has joined");
    await redis.kill();
    expect(await refusal(env)).toContain("connection refused");
    const { out, err } = await done(leave(pool, replica, {}, "--force"));
    expect(out).toStartWith("left the pool default; ");
    expect(err).toContain("had not sent are lost");
    expect(readdirSync(replica.layout.accounts)).toEqual([]);
    expect(existsSync(replica.layout.cluster)).toBe(false);
    const alone = await done(pool.tool.run(["account", "list", "--root", replica.layout.root]));
    expect(alone.out).not.toContain("alice");
  }, 60_000);
});
