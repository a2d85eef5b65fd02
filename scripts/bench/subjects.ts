// Starts the subjects of the benchmark: the versions of the program, the floor, nginx.

import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { accountName } from "./backend-accounts.ts";
import type { SubjectName } from "./figures.ts";
import type { Lab } from "./lab.ts";
import { nginxConfig } from "./nginx.ts";
import { freePort, listening } from "./ports.ts";
import { type Program, startProgram } from "./program.ts";

export interface Subject extends AsyncDisposable {
  readonly name: SubjectName;
  readonly origin: string;
  /** The credentials that a client sends to the subject. */
  readonly headers: Readonly<Record<string, string>>;
  /** The processes whose CPU time and memory count. */
  readonly pids: readonly number[];
}

export interface ProxyOptions {
  readonly name: SubjectName;
  readonly executable: string;
  /** The number of the backend's accounts that the proxy gets. Default: 2. */
  readonly accounts?: number;
  /** The origin of a child proxy. */
  readonly child?: string;
  /** More of config.toml. Default: nothing. */
  readonly config?: string;
  /** Makes the proxy a replica: by creating the pool from its accounts, or by joining it. Default: it works alone. */
  readonly pool?: PoolOptions;
}

export interface PoolOptions {
  /** The URL of the engine. */
  readonly url: string;
  /** The command of `codexlb cluster`. */
  readonly command: "init" | "join";
}

/** The backend without a proxy. */
export function direct({ backend }: Lab): Subject {
  return subject("direct", backend.origin, [], backend.credentials);
}

/** Starts a program with the command line of codexlb, on a root of its own. */
export async function startProxy(lab: Lab, options: ProxyOptions): Promise<Subject> {
  const port = freePort();
  const args = proxyArgs(lab, options, port);
  const run = { cwd: lab.directory, env: proxyEnv(lab, options) };
  if (options.pool !== undefined) {
    const words = ["cluster", options.pool.command, "--root", proxyRoot(lab, port)];
    await startProgram([options.executable, ...words], run).line();
  }
  const program = startProgram([options.executable, ...args], run);
  await listening(port);
  return proxySubject(port, program, options.name);
}

/** A proxy that listens on `port`. */
export function proxySubject(port: number, program: Program, name: SubjectName = "codexlb"): Subject {
  return subject(name, `http://127.0.0.1:${port}`, [program]);
}

/** The root of the proxy on `port`. */
export function proxyRoot({ directory }: Pick<Lab, "directory">, port: number): string {
  return join(directory, `root-${port}`);
}

/** The arguments of a proxy on `port`, whose root they create. */
export function proxyArgs(
  lab: Lab,
  { accounts = 2, child, config = "" }: Pick<ProxyOptions, "accounts" | "child" | "config">,
  port: number,
): string[] {
  const root = proxyRoot(lab, port);
  // An earlier proxy of this run may have had the same port.
  rmSync(root, { recursive: true, force: true });
  mkdirSync(join(root, "accounts"), { recursive: true, mode: 0o700 });
  writeFileSync(join(root, "config.toml"), `[proxy]\nname = "bench"\n${config}`);
  for (let index = 0; child === undefined && index < accounts; index++) {
    const home = join(root, "accounts", accountName(index));
    mkdirSync(home, { mode: 0o700 });
    copyFileSync(join(lab.backend.homes, accountName(index), "auth.json"), join(home, "auth.json"));
  }
  const { origin } = lab.backend;
  return ["proxy", "--root", root, "--listen", `127.0.0.1:${port}`, "--upstream", `${origin}/backend-api`];
}

/** The environment of a proxy. */
export function proxyEnv(
  lab: Lab,
  { child, pool }: Pick<ProxyOptions, "child" | "pool">,
): Record<string, string> {
  return {
    HOME: lab.directory,
    CODEXLB_TOKEN_URL: `${lab.backend.origin}/oauth/token`,
    ...(child === undefined ? {} : { CODEXLB_CHILD_PROXY_URLS: child }),
    ...(pool === undefined
      ? {}
      : { CODEXLB_CLUSTER_URL: pool.url, CODEXLB_CLUSTER_KEY_FILE: join(lab.directory, "pool.key") }),
  };
}

/** Starts the floor. */
export async function startFloorSubject({ backend, floor }: Lab): Promise<Subject> {
  const argv = [floor, backend.origin, JSON.stringify(backend.credentials)];
  // The same setting as codexlb's. Without it Bun allows 256 upstream requests at a time.
  const program = startProgram(argv, { env: { BUN_CONFIG_MAX_HTTP_REQUESTS: "65336" } });
  return subject("floor", await program.line(), [program]);
}

/**
 * Starts codexlb and the floor, and nginx, the peer and the baseline if they are available. `accounts`: the number of
 * accounts of each proxy; default: 2.
 */
export async function startSubjects(lab: Lab, accounts = 2): Promise<Subject[]> {
  const { executable, baseline, peer, nginx } = lab;
  return [
    await startProxy(lab, { name: "codexlb", executable, accounts }),
    ...(baseline === undefined
      ? []
      : [await startProxy(lab, { name: "baseline", executable: baseline, accounts })]),
    await startFloorSubject(lab),
    ...(nginx === undefined ? [] : [await startNginx(lab, nginx)]),
    ...(peer === undefined ? [] : [await startProxy(lab, { name: "peer", executable: peer, accounts })]),
  ];
}

/** `entry`, with the CPU time and memory of the proxies behind it included. */
export function chained(entry: Subject, behind: readonly Subject[]): Subject {
  return { ...entry, pids: [entry, ...behind].flatMap(({ pids }) => pids) };
}

// --- internal ---

/** The credentials that a client sends to a program. No proxy may forward them. */
const STUB = { authorization: "Bearer stub", "chatgpt-account-id": "stub" };

function subject(
  name: SubjectName,
  origin: string,
  programs: readonly Program[],
  headers: Readonly<Record<string, string>> = STUB,
): Subject {
  return {
    name,
    origin,
    headers,
    pids: programs.map(({ pid }) => pid),
    [Symbol.asyncDispose]: async () => {
      for (const program of programs) await program.stop();
    },
  };
}

async function startNginx({ backend, directory }: Lab, nginx: string): Promise<Subject> {
  const port = freePort();
  const prefix = join(directory, `nginx-${port}`);
  mkdirSync(prefix);
  writeFileSync(join(prefix, "nginx.conf"), nginxConfig({ port, ...backend }));
  const program = startProgram([nginx, "-p", prefix, "-e", "error.log", "-c", "nginx.conf"]);
  await listening(port);
  return proxySubject(port, program, "nginx");
}
