// Runs nginx and HAProxy with the files of packaging/cluster in front of replicas.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "./pool.ts";
import { freePort } from "./redis.ts";
import { tempDirectory } from "./temp.ts";

export interface TestLoadBalancer extends AsyncDisposable {
  readonly url: string;
}

/** Why there is no such program for tests; undefined if there is one. */
export const whyNoNginx = whyMissing("nginx");
export const whyNoHaproxy = whyMissing("haproxy");

const CLUSTER = join(import.meta.dir, "..", "..", "packaging", "cluster");
/** The address of a replica in the files; in haproxy.cfg its name without the port is also that of the server. */
const REPLICA = /replica(\d):8765/g;

/**
 * Starts nginx with the file as it is, except for the addresses and the directory in which it writes. `urls`: of the
 * replicas, in the order of the file. Throws what nginx prints if the file is not valid.
 */
export async function startNginx(urls: readonly string[]): Promise<TestLoadBalancer> {
  return started("nginx.conf", urls, {
    check: (path) => ["nginx", "-e", "stderr", "-t", "-c", path],
    run: (path) => ["nginx", "-e", "stderr", "-c", path, "-g", "daemon off;"],
    placed: (text, port, directory) =>
      text.replaceAll("/tmp/", `${directory}/`).replace("listen 8765", `listen 127.0.0.1:${port}`),
  });
}

/** Like `startNginx`, for HAProxy. */
export async function startHaproxy(urls: readonly string[]): Promise<TestLoadBalancer> {
  return started("haproxy.cfg", urls, {
    check: (path) => ["haproxy", "-c", "-f", path],
    run: (path) => ["haproxy", "-db", "-f", path],
    placed: (text, port) => text.replace("bind :8765", `bind 127.0.0.1:${port}`),
  });
}

// --- internal ---

interface Program {
  readonly check: (path: string) => string[];
  readonly run: (path: string) => string[];
  /** The text with the port on which it listens, and the directory in which it writes. */
  readonly placed: (text: string, port: number, directory: string) => string;
}

function whyMissing(program: string): string | undefined {
  if (Bun.which(program) !== null) return undefined;
  const why = `there is no ${program} (apt-get install ${program})`;
  console.log(`skipped: tests with ${program} (${why})`);
  return why;
}

async function started(
  name: string,
  urls: readonly string[],
  { check, run, placed }: Program,
): Promise<TestLoadBalancer> {
  const temp = tempDirectory();
  const port = freePort();
  const path = join(temp.path, name);
  const text = placed(readFileSync(join(CLUSTER, name), "utf8"), port, temp.path);
  writeFileSync(
    path,
    text.replaceAll(REPLICA, (_name, number: string) => new URL(urls[Number(number) - 1] ?? "").host),
  );
  const checked = Bun.spawnSync(check(path), { stderr: "pipe" });
  if (checked.exitCode !== 0) throw new Error(checked.stderr.toString());
  const child = Bun.spawn(run(path), { stdout: "ignore", stderr: "ignore" });
  const url = `http://127.0.0.1:${port}`;
  const answers = () =>
    fetch(`${url}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    );
  await until(`${name} is in use`, answers, 20_000);
  return {
    url,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await child.exited;
      temp[Symbol.dispose]();
    },
  };
}
