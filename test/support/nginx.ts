// Runs the nginx of packaging/cluster/nginx.conf in front of replicas.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "./pool.ts";
import { freePort } from "./redis.ts";
import { tempDirectory } from "./temp.ts";

export interface TestNginx extends AsyncDisposable {
  readonly url: string;
  /** What `nginx -t` prints. */
  readonly check: string;
}

/** Why there is no nginx for tests; undefined if there is one. */
export const whyNoNginx =
  Bun.which("nginx") === null ? "there is no nginx (apt-get install nginx)" : undefined;
if (whyNoNginx !== undefined) console.log(`skipped: tests with nginx (${whyNoNginx})`);

const CONFIG = join(import.meta.dir, "..", "..", "packaging", "cluster", "nginx.conf");
/** The name of a replica in the file. */
const REPLICA = /replica(\d):8765/g;

/**
 * Starts nginx with the file as it is, except for the addresses and the directory in which it writes. `urls`: of the
 * replicas, in the order of the file. Throws what nginx prints if it does not start.
 */
export async function startNginx(urls: readonly string[]): Promise<TestNginx> {
  const temp = tempDirectory();
  const port = freePort();
  const path = join(temp.path, "nginx.conf");
  const text = readFileSync(CONFIG, "utf8")
    .replaceAll("/tmp/", `${temp.path}/`)
    .replace("listen 8765", `listen 127.0.0.1:${port}`)
    .replaceAll(REPLICA, (_name, number: string) => new URL(urls[Number(number) - 1] ?? "").host);
  writeFileSync(path, text);
  const checked = Bun.spawnSync(["nginx", "-e", "stderr", "-t", "-c", path], { stderr: "pipe" });
  const check = checked.stderr.toString();
  if (checked.exitCode !== 0) throw new Error(check);
  const child = Bun.spawn(["nginx", "-e", "stderr", "-c", path, "-g", "daemon off;"], { stderr: "ignore" });
  const url = `http://127.0.0.1:${port}`;
  const answers = () =>
    fetch(`${url}/healthz`).then(
      () => true,
      () => false,
    );
  await until("nginx answers", answers, 20_000);
  return {
    url,
    check,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await child.exited;
      temp[Symbol.dispose]();
    },
  };
}
