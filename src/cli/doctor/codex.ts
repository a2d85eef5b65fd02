// The installed Codex: which version it is, whether its turns really come to a proxy it is pointed at, and whether
// the home that `codexlb run` gives to it is right.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkRuntimeAuth } from "../../auth/runtime-auth.ts";
import { type CodexAddresses, codexAddresses } from "../../codex/addresses.ts";
import { codexCommand } from "../../codex/command-line.ts";
import { noProxyWith, privateHosts } from "../../codex/direct-hosts.ts";
import { dotenvProblem, dotenvRemedy, proxyDotenv } from "../../codex/dotenv.ts";
import { routingSettings, settingsIn } from "../../codex/home.ts";
import { codexBinary } from "../../codex/login.ts";
import { childEnvironment, INSTALL_CODEX } from "../../codex/run.ts";
import { runWatched } from "../../codex/watched.ts";
import { messageOf } from "../../errors.ts";
import { startMock } from "../../mock/backend.ts";
import { writeFileAtomic } from "../../state/atomic-file.ts";
import type { CommandContext } from "../context.ts";
import { type Location, urlOf } from "../proxy/locate-proxy.ts";
import { addressOf } from "../run/proxy-address.ts";
import { configSources, prepareRuntime } from "../run/runtime-home.ts";
import { type Finding, ok } from "./finding.ts";

export interface CodexFlags {
  readonly codexBin: string | undefined;
  readonly codexHome: string | undefined;
}

/** `located` is where the proxy is. If it rejects, another check reports why. */
export async function examineCodex(
  context: CommandContext,
  flags: CodexFlags,
  located: Promise<Location>,
): Promise<Finding[]> {
  return [
    ...(await examineBinary(context, flags)),
    ...examineRuntime(context, flags, located),
    ...(await examineDotenv(context, flags, located)),
  ];
}

/** The home that is examined: `--codex-home`, else the one of `codexlb run`. */
export function runtimeHomeOf({ layout }: CommandContext, { codexHome }: CodexFlags): string {
  return codexHome?.trim() || layout.runtime;
}

// --- internal ---

const VERSION_TIMEOUT_MS = 10_000;
/** A first turn takes two or three seconds. */
const TURN_TIMEOUT_MS = 20_000;

async function examineBinary(context: CommandContext, flags: CodexFlags): Promise<Finding[]> {
  const { env } = context.deps;
  const binary = codexBinary(flags.codexBin, env);
  if (Bun.which(binary) === null)
    return [
      { check: "codex", status: "bad", detail: `there is no program ${binary}`, remedy: INSTALL_CODEX },
    ];
  const told = await said([binary, "--version"], childEnvironment(env), VERSION_TIMEOUT_MS);
  const version = /codex\S*\s+(\d+\.\d+\.\d+\S*)/i.exec(told)?.[1];
  if (version === undefined)
    return [
      {
        check: "codex",
        status: "bad",
        detail: `${binary} --version says ${JSON.stringify(told.trim().slice(0, 200))}`,
        remedy: INSTALL_CODEX,
      },
    ];
  return [ok("codex", `${version} (${binary})`), await examineTraffic(context, binary, version)];
}

/** One turn of the real Codex, set up as `codexlb run` does it, with a simulated backend in the proxy's place. */
async function examineTraffic(context: CommandContext, binary: string, version: string): Promise<Finding> {
  const { deps } = context;
  const directory = mkdtempSync(join(tmpdir(), "codexlb-doctor-"));
  const backend = startMock({ accounts: [{ alias: "doctor" }], clock: deps.clock });
  try {
    const addresses = codexAddresses(backend.origin);
    writeFileAtomic(join(directory, "auth.json"), backend.authFile("doctor"));
    writeFileAtomic(
      join(directory, "config.toml"),
      routingSettings(configSources(context, undefined), addresses.chatgpt),
    );
    const command = codexCommand({
      binary,
      addresses,
      proxyUrl: backend.origin,
      codexHome: directory,
      prefix: ["-c", "analytics.enabled=false"],
      args: ["exec", "--skip-git-repo-check", "hello"],
      env: deps.env,
    });
    const env = {
      ...childEnvironment(deps.env),
      ...command.env,
      ...noProxyWith(deps.env, command.directHosts),
    };
    const text = await said([command.binary, ...command.args], env, TURN_TIMEOUT_MS, directory);
    const turn = backend.requests.find(({ point }) => point === "message" || point === "sse");
    if (turn !== undefined)
      return ok(
        "traffic",
        `a turn of Codex ${version} came to the proxy ${turn.point === "sse" ? "over HTTP" : "over WebSocket"}`,
      );
    const last = text.trim().split("\n").at(-1) ?? "";
    return {
      check: "traffic",
      status: "bad",
      detail: `no turn of Codex ${version} came to the proxy${last === "" ? "" : `: ${last.slice(0, 300)}`}`,
      remedy:
        "look for model_provider, model_providers or a profile in your config.toml that sends turns elsewhere",
    };
  } catch (error) {
    return { check: "traffic", status: "bad", detail: messageOf(error) };
  } finally {
    await backend.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function examineDotenv(
  context: CommandContext,
  flags: CodexFlags,
  located: Promise<Location>,
): Promise<Finding[]> {
  const hosts = privateHosts(await addressesAt(located));
  const dotenv = proxyDotenv(runtimeHomeOf(context, flags), hosts, context.deps.env);
  if (dotenv === undefined) return [];
  return [
    {
      check: "proxy variables",
      status: "warning",
      detail: dotenvProblem(dotenv),
      remedy: dotenvRemedy(dotenv),
    },
  ];
}

/** The addresses that Codex uses; those of a proxy on this machine if there is no usable proxy URL. */
async function addressesAt(located: Promise<Location>): Promise<CodexAddresses> {
  try {
    return codexAddresses(urlOf(await located));
  } catch {
    return codexAddresses("http://127.0.0.1"); // other checks report the error
  }
}

function examineRuntime(context: CommandContext, flags: CodexFlags, located: Promise<Location>): Finding[] {
  const home = runtimeHomeOf(context, flags);
  if (settingsIn(home) === undefined)
    return [
      {
        check: "runtime settings",
        status: "bad",
        detail: `${join(home, "config.toml")} cannot be read as TOML`,
        remedy: "correct it, or delete it: codexlb run makes it anew",
      },
    ];
  const checked = checkRuntimeAuth(home);
  if (checked.ok) return [ok("runtime auth", checked.path)];
  return [
    {
      check: "runtime auth",
      // A home that no codex was run in yet is no fault.
      status: checked.exists ? "bad" : "warning",
      detail: `${checked.path}: ${checked.issue}`,
      remedy: "run: codexlb doctor --fix; codexlb run does it by itself",
      fix: async () => {
        await prepareRuntime(context, home, await addressOf(context, await located));
      },
    },
  ];
}

/** What it said; the end of its time is its end. */
async function said(
  argv: string[],
  env: Record<string, string | undefined>,
  timeoutMs: number,
  cwd?: string,
): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  await runWatched(argv, {
    env,
    ...(cwd === undefined ? {} : { cwd }),
    output: (chunk) => {
      text += decoder.decode(chunk, { stream: true });
    },
    signal: AbortSignal.timeout(timeoutMs),
  });
  return text;
}
