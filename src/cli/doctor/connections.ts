// Checks whether the proxy's hosts can be reached: the backend and the token endpoint.

import type { Clock } from "../../deps.ts";
import { egressProblem } from "../../network/connect-problem.ts";
import { createOutbound, fetchOptions, type Outbound } from "../../network/egress.ts";
import { readConfig } from "../../state/config-source.ts";
import type { CommandContext } from "../context.ts";
import { examineClock, type TimedResponse } from "./clock.ts";
import { type Finding, ok } from "./finding.ts";

/** The means to check connections to other hosts. */
export interface ConnectionDeps {
  readonly clock: Clock;
  readonly outbound: Outbound;
}

/** Checks the backend, the token endpoint and, with the backend's response, the clock. */
export async function examineConnections(
  via: ConnectionDeps,
  backend: string,
  tokenUrl: string,
): Promise<Finding[]> {
  const [toBackend, toTokens] = await Promise.all([
    examineConnection(via, "backend", backend),
    examineConnection(via, "token endpoint", tokenUrl),
  ]);
  const { response } = toBackend;
  return [toBackend.finding, toTokens.finding, ...(response === undefined ? [] : examineClock(response))];
}

/** The connections of a proxy that this environment would start. The environment of a running proxy is unknown. */
export function outboundOf({ deps: { env }, layout }: CommandContext): Outbound {
  const setting = () => {
    try {
      return readConfig(layout).proxy.outbound_proxy;
    } catch {
      return ""; // another check reports invalid settings
    }
  };
  return createOutbound({ env, setting });
}

// --- internal ---

const CONNECT_TIMEOUT_MS = 5_000;

/** Any response proves that the connection works. */
async function examineConnection(
  { clock, outbound }: ConnectionDeps,
  check: string,
  url: string,
): Promise<{ readonly finding: Finding; readonly response?: TimedResponse }> {
  const egress = outbound.toBackend(url);
  try {
    const askedMs = clock.now();
    const { status, headers } = await fetch(url, {
      ...fetchOptions(egress),
      method: "HEAD",
      redirect: "manual",
      signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS),
    });
    const response = { headers, askedMs, answeredMs: clock.now() };
    return {
      finding: ok(
        check,
        `${url} is reachable; it returned status ${status} to a request without credentials`,
      ),
      response,
    };
  } catch (error) {
    const finding: Finding = {
      check,
      status: "bad",
      detail: `${url} cannot be reached: ${egressProblem(error, url, egress)}`,
      remedy: "check the network, HTTPS_PROXY, proxy.outbound_proxy and proxy.upstream_base_url",
    };
    return { finding };
  }
}
