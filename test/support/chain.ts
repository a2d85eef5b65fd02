// Starts proxies in front of each other, each in its own process, over one simulated backend.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { readSecret } from "../../src/auth/secrets.ts";
import { StatusAnswer } from "../../src/core/status-schema.ts";
import { systemDeps } from "../../src/deps.ts";
import type { MockAccountOptions } from "../../src/mock/accounts.ts";
import { type MockBackend, startMock } from "../../src/mock/backend.ts";
import { makePrivateDirectory, writeFileAtomic } from "../../src/state/atomic-file.ts";
import { type Layout, layoutOf } from "../../src/state/layout.ts";
import { enrol, until } from "./pool.ts";
import { tempDirectory } from "./temp.ts";

const MAIN = join(import.meta.dir, "..", "..", "src", "main.ts");

export interface NodeOptions {
  readonly name: string;
  /** Aliases of its own accounts. */
  readonly accounts?: readonly string[];
  /** `proxy.child_proxy_urls`. */
  readonly children?: readonly string[];
  /** The backend. Default: the simulated one. */
  readonly upstream?: string;
  /** Additional lines for `[proxy]`. */
  readonly proxy?: string;
  /** Lines that follow the section `[proxy]`. Default: the `sticky` policy. */
  readonly more?: string;
  readonly env?: Record<string, string>;
  /** Default: any free port. */
  readonly port?: number;
}

export interface ChainNode {
  readonly name: string;
  readonly url: string;
  readonly layout: Layout;
  readonly adminToken: string;
  readonly pid: number;
  status(): Promise<StatusAnswer>;
  /** Rewrites the settings with these children; a running proxy reloads them. */
  configure(children: readonly string[]): void;
  /** Kills the process with SIGKILL. */
  kill(): Promise<void>;
  /** Returns the proxy's stderr so far. */
  said(): string;
}

export interface Chain extends AsyncDisposable {
  readonly mock: MockBackend;
  start(options: NodeOptions): Promise<ChainNode>;
  /** Runs the command line with a root of its own. */
  run(
    args: readonly string[],
    env?: Record<string, string>,
  ): Promise<{ code: number; out: string; err: string }>;
  readonly directory: string;
}

export function startChain(accounts: readonly MockAccountOptions[]): Chain {
  const temp = tempDirectory();
  const mock = startMock({ accounts, clock: systemDeps().clock });
  const running = new Set<Bun.Subprocess>();
  mkdirSync(join(temp.path, "home"));
  const baseEnv = {
    PATH: process.env.PATH ?? "",
    HOME: join(temp.path, "home"),
    CODEXLB_TOKEN_URL: mock.tokenUrl,
  };
  const spawn = (args: readonly string[], env: Record<string, string>) => {
    const child = Bun.spawn([process.execPath, MAIN, ...args], {
      cwd: temp.path,
      env: { ...baseEnv, ...env },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    running.add(child);
    void child.exited.then(() => running.delete(child));
    return child;
  };
  return {
    mock,
    directory: temp.path,
    start: async (options) => {
      const { name, port = 0 } = options;
      const layout = layoutOf(join(temp.path, name.replaceAll(/\W/g, "-")));
      makePrivateDirectory(layout.root);
      for (const alias of options.accounts ?? []) enrol(layout, alias, mock.authFile(alias));
      const configure = (children: readonly string[]) =>
        writeFileAtomic(layout.config, configOf(options, children, options.upstream ?? mock.baseUrl));
      configure(options.children ?? []);
      const child = spawn(
        ["proxy", "--root", layout.root, "--listen", `127.0.0.1:${port}`],
        options.env ?? {},
      );
      let said = "";
      void (async () => {
        const decoder = new TextDecoder();
        for await (const chunk of child.stderr) said += decoder.decode(chunk, { stream: true });
      })();
      const url = /on (http:\S+)/.exec(await firstLine(child.stdout, () => said))?.[1] ?? "";
      return {
        name,
        url,
        layout,
        adminToken: readSecret(layout.adminToken) ?? "",
        pid: child.pid,
        status: async () => StatusAnswer.parse(await (await fetch(`${url}/status`)).json()),
        configure,
        kill: async () => {
          child.kill("SIGKILL");
          await child.exited;
        },
        said: () => said,
      };
    },
    run: async (args, env = {}) => {
      const child = spawn(args, { CODEXLB_ROOT: join(temp.path, "cli"), ...env });
      const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
      return { code, out, err };
    },
    [Symbol.asyncDispose]: async () => {
      const all = [...running];
      for (const child of all) child.kill("SIGKILL");
      await Promise.all(all.map((child) => child.exited));
      await mock.stop();
      temp[Symbol.dispose]();
    },
  };
}

/** Resolves when `node` reports a child called `name` for which `check` is true (default: it is healthy). */
export async function untilChild(
  node: ChainNode,
  name: string,
  check: (child: StatusAnswer["child_proxies"][number]) => boolean = ({ healthy }) => healthy,
): Promise<void> {
  await until(
    `${node.name} reports ${name} in the expected state`,
    async () => (await node.status()).child_proxies.some((child) => child.name === name && check(child)),
    30_000,
  );
}

/** Resolves when `node` reports exactly the accounts `aliases`, including those of its child proxies. */
export async function untilAccounts(node: ChainNode, aliases: readonly string[]): Promise<void> {
  const wanted = [...aliases].sort().join(" ");
  await until(
    `${node.name} knows ${wanted}`,
    async () => {
      const known = (await node.status()).accounts.map(({ alias }) => alias);
      return known.sort().join(" ") === wanted;
    },
    30_000,
  );
}

// --- internal ---

function configOf(
  { name, proxy = "", more }: NodeOptions,
  children: readonly string[],
  baseUrl: string,
): string {
  return `[proxy]
name = ${JSON.stringify(name)}
upstream_base_url = ${JSON.stringify(baseUrl)}
child_proxy_urls = ${JSON.stringify(children)}
${proxy}
${more ?? '[policy]\nmode = "sticky"\n'}`;
}

async function firstLine(stream: ReadableStream<Uint8Array>, said: () => string): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    if (text.includes("\n")) break;
  }
  if (!text.includes("\n")) throw new Error(`the proxy exited: ${said()}`);
  return text.split("\n")[0] ?? "";
}
