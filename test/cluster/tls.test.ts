// Connections to an engine over TLS, whose certificate is signed by an authority of the test. Needs openssl.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createEngine } from "../../src/cluster/engine.ts";
import { systemDeps } from "../../src/deps.ts";
import { CodexlbError } from "../../src/errors.ts";
import { executable } from "../support/executable.ts";
import { freePort, startRedis, whyNoRedis } from "../support/redis.ts";
import { done } from "../support/replicas.ts";
import { type TempDirectory, tempDirectory } from "../support/temp.ts";

const NEW_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

describe.skipIf(whyNoRedis !== undefined || Bun.which("openssl") === null)("an engine with TLS", () => {
  let temp: TempDirectory;
  const file = (name: string) => join(temp.path, name);

  const openssl = (command: string): void => {
    const ran = Bun.spawnSync(["openssl", ...command.split(" ")], { cwd: temp.path, stderr: "pipe" });
    if (ran.exitCode !== 0) throw new Error(`openssl ${command}: ${ran.stderr}`);
  };

  /** Creates NAME.key and NAME.pem for `san`. */
  const certificate = (name: string, san: string, days: number): void => {
    writeFileSync(file(`${name}.ext`), `subjectAltName=${san}\n`);
    openssl(`req ${NEW_KEY} -keyout ${name}.key -out ${name}.csr -subj /CN=${name}`);
    openssl(
      `x509 -req -in ${name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days ${days} -extfile ${name}.ext -out ${name}.pem`,
    );
  };

  /** An engine that accepts nothing but TLS with the certificate `name`. */
  const start = (name: string, port: number) =>
    startRedis([
      ...["--port", "0", "--tls-port", String(port), "--tls-auth-clients", "no", "--appendonly", "yes"],
      ...["--tls-cert-file", file(`${name}.pem`), "--tls-key-file", file(`${name}.key`)],
    ]);

  const connect = async (url: string, env: Record<string, string>): Promise<string> => {
    const engine = createEngine({ url, pool: "team", deps: { ...systemDeps(), env } });
    try {
      await engine.connected(3_000);
      return (await engine.info()).product;
    } catch (error) {
      return error instanceof CodexlbError ? `${error.code}: ${error.message}; ${error.next}` : String(error);
    } finally {
      engine.close();
    }
  };

  beforeAll(() => {
    temp = tempDirectory();
    openssl(`req -x509 ${NEW_KEY} -keyout ca.key -out ca.pem -days 2 -subj /CN=authority`);
    certificate("good", "DNS:localhost,IP:127.0.0.1", 2);
    certificate("elsewhere", "DNS:elsewhere.test", 2);
    // It ended before it began.
    certificate("expired", "DNS:localhost,IP:127.0.0.1", -1);
  });
  afterAll(() => temp[Symbol.dispose]());

  test("is used if its authority is trusted, by name and by address", async () => {
    const port = freePort();
    await using _ = await start("good", port);
    const env = { CODEX_CA_CERTIFICATE: file("ca.pem") };
    for (const host of ["localhost", "127.0.0.1"])
      expect(await connect(`rediss://${host}:${port}`, env)).toStartWith("Redis 7");
  });

  test.each([
    ["good", {}, /the certificate of the server is not trusted .* set SSL_CERT_FILE or CODEX_CA_CERTIFICATE/],
    ["elsewhere", { trusted: true }, /the certificate of the server is for another host/],
    ["expired", { trusted: true }, /the certificate of the server has expired/],
  ] as const)(
    "with the certificate %s %o is refused with the reason",
    async (name, { trusted = false }: { trusted?: boolean }, why) => {
      const port = freePort();
      await using _ = await start(name, port);
      const env: Record<string, string> = trusted ? { CODEX_CA_CERTIFICATE: file("ca.pem") } : {};
      for (const host of ["localhost", "127.0.0.1"]) {
        const said = await connect(`rediss://${host}:${port}`, env);
        expect(said).toStartWith(`cluster_unreachable: contacting rediss://${host}:${port}: `);
        expect(said).toMatch(why);
      }
    },
  );

  test("and without TLS at the other end fails, and the next step is the other scheme", async () => {
    await using redis = await startRedis();
    const said = await connect(redis.tcpUrl.replace("redis://", "rediss://"), {});
    expect(said).toStartWith("cluster_unreachable: contacting rediss://127.0.0.1:");
    expect(said).toEndWith(
      "; check that the server runs, and cluster.url in config.toml; if the server does not use TLS on this port, the URL begins with redis://",
    );
  });

  test("refuses a connection without TLS, and the next step is the other scheme", async () => {
    const port = freePort();
    await using _ = await start("good", port);
    const url = `redis://127.0.0.1:${port}`;
    const said = await connect(url, { CODEXLB_CLUSTER_URL: url });
    expect(said).toStartWith(`cluster_unreachable: contacting ${url}: `);
    expect(said).toEndWith(
      "; check that the server runs, and CODEXLB_CLUSTER_URL; if the server uses TLS on this port, the URL begins with rediss://",
    );
  });

  test("carries a pool if the executable gets its authority by SSL_CERT_FILE", async () => {
    const port = freePort();
    await using _ = await start("good", port);
    using tool = executable();
    const root = join(tool.directory, "root");
    const env = {
      CODEXLB_ROOT: root,
      CODEXLB_CLUSTER_URL: `rediss://localhost:${port}`,
      CODEXLB_CLUSTER_KEY_FILE: join(tool.directory, "pool.key"),
    };
    const untrusted = await tool.run(["cluster", "init", "--empty"], env);
    expect([untrusted.code, untrusted.err]).toEqual([1, expect.stringContaining("is not trusted")]);
    const { out } = await done(
      tool.run(["cluster", "init", "--empty"], { ...env, SSL_CERT_FILE: file("ca.pem") }),
    );
    expect(out).toBe(`created the pool default with 0 accounts and 0 keys on rediss://localhost:${port}\n`);
  }, 60_000);
});
