// Checks the installed Codex: its version, whether its turns reach the proxy that it is configured for, and whether the
// home of `codexlb run` is in order.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { advised } from "../../advice.ts";
import { checkRuntimeAuth } from "../../auth/runtime-auth.ts";
import { type CodexAddresses, codexAddresses } from "../../codex/addresses.ts";
import { codexCommand } from "../../codex/command-line.ts";
import { readToml } from "../../codex/copied-settings.ts";
import { noProxyWith, privateHosts } from "../../codex/direct-hosts.ts";
import { dotenvProblem, dotenvRemedy, proxyDotenv } from "../../codex/dotenv.ts";
import { routingSettings } from "../../codex/home.ts";
import { installedCodex, outputOf } from "../../codex/installed-codex.ts";
import { codexBinary } from "../../codex/login.ts";
import { childEnvironment, INSTALL_CODEX } from "../../codex/run.ts";
import { CodexlbError, messageOf } from "../../errors.ts";
import { startMock } from "../../mock/backend.ts";
import { writeFileAtomic } from "../../state/atomic-file.ts";
import type { CommandContext } from "../context.ts";
import { type Location, urlOf } from "../proxy/locate-proxy.ts";
import { addressOf } from "../run/proxy-address.ts";
import { homeToExamine } from "../run/run-home.ts";
import { configSources, prepareRuntime } from "../run/runtime-home.ts";
import { type Finding, ok } from "./finding.ts";

/** The flags of `codexlb doctor` about Codex. */
export interface CodexFlags {
  readonly codexBin: string | undefined;
  readonly codexHome: string | undefined;
}

/** Checks Codex. `located` is the location of the proxy; if it rejects, another check reports the reason. */
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

// --- internal ---

/** The first turn takes two or three seconds. */
const TURN_TIMEOUT_MS = 20_000;

async function examineBinary(context: CommandContext, flags: CodexFlags): Promise<Finding[]> {
  const { env } = context.deps;
  const binary = codexBinary(flags.codexBin, env);
  const codex = await installedCodex(binary, env);
  if (codex === undefined)
    return [{ check: "codex", status: "bad", detail: `program not found: ${binary}`, remedy: INSTALL_CODEX }];
  const { version, output } = codex;
  if (version === undefined)
    return [
      {
        check: "codex",
        status: "bad",
        detail: `${binary} --version prints ${JSON.stringify(output)}`,
        remedy: INSTALL_CODEX,
      },
    ];
  return [ok("codex", `${version} (${binary})`), await examineTraffic(context, binary, version)];
}

/** Runs a turn with the real Codex, configured as by `codexlb run`, with a simulated backend in place of the proxy. */
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
    const text = await outputOf([command.binary, ...command.args], {
      env,
      cwd: directory,
      signal: AbortSignal.timeout(TURN_TIMEOUT_MS),
    });
    const turn = backend.requests.find(({ point }) => point === "message" || point === "sse");
    if (turn !== undefined)
      return ok(
        "traffic",
        `Codex ${version} sends its turns where codexlb run points it: a test turn reached a simulated proxy ${turn.point === "sse" ? "over HTTP" : "over WebSocket"}`,
      );
    const last = text.trim().split("\n").at(-1) ?? "";
    return {
      check: "traffic",
      status: "bad",
      detail: `Codex ${version} does not send its turns where codexlb run points it: a test turn did not reach the simulated proxy${last === "" ? "" : `: ${last.slice(0, 300)}`}`,
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
  const dotenv = proxyDotenv(homeToExamine(context, flags.codexHome).path, hosts, context.deps.env);
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
  const examined = homeToExamine(context, flags.codexHome);
  const home = examined.path;
  const problem = settingsProblem(home);
  if (problem !== undefined) return [problem];
  const checked = checkRuntimeAuth(home);
  if (checked.ok) return [ok("runtime auth", checked.path)];
  return [
    {
      check: "runtime auth",
      // A home in which no Codex has run yet is not an error.
      status: checked.exists ? "bad" : "warning",
      detail: `${checked.path}: ${checked.issue}`,
      remedy: `run: ${advised("doctor", "--fix")} (codexlb run does this, too)`,
      fix: async () => {
        await prepareRuntime(context, examined, await addressOf(context, await located));
      },
    },
  ];
}

/** The finding of a config.toml in `home` that cannot be read, or is not TOML; undefined if there is no problem. */
function settingsProblem(home: string): Finding | undefined {
  const path = join(home, "config.toml");
  const bad = { check: "runtime settings", status: "bad" } as const;
  try {
    readToml(path);
    return undefined;
  } catch (error) {
    if (error instanceof CodexlbError && error.code === "file_unusable")
      return { ...bad, detail: error.message, remedy: error.next ?? "" };
    return {
      ...bad,
      detail: `${path} is not valid TOML: ${messageOf(error)}`,
      remedy: "correct or delete it; codexlb run creates it again",
    };
  }
}
