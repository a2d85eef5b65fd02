// `codexlb doctor`: checks the installation, says what to do about problems, and fixes them if that is safe.

import { defineCommand } from "citty";
import { type Daemon, daemonAt } from "../../admin/daemon.ts";
import { advised } from "../../advice.ts";
import { checkRuntimeAuth } from "../../auth/runtime-auth.ts";
import { CodexlbError, messageOf } from "../../errors.ts";
import { print, printJson } from "../../print.ts";
import { CODEX_BIN_FLAG, PROXY_URL_FLAG, ROOT_FLAG } from "../common-flags.ts";
import { type CommandContext, contextOf, rootExists } from "../context.ts";
import { type Location, locate, urlOf } from "../proxy/locate-proxy.ts";
import { homeToExamine } from "../run/run-home.ts";
import { waitingFor } from "../terminal/terminal.ts";
import { terminalFrame } from "../terminal/terminal-frame.ts";
import { examineAccounts } from "./accounts.ts";
import { examineClients } from "./clients.ts";
import { examineCluster } from "./cluster.ts";
import { type CodexFlags, examineCodex } from "./codex.ts";
import type { CheckResult, Finding } from "./finding.ts";
import { examineProxy } from "./proxy.ts";
import { checkLines, checkText, failureText, summaryLine } from "./report.ts";
import { examineRoot, unreadableRoot } from "./root.ts";

export default defineCommand({
  meta: { name: "codexlb doctor", description: "Check the installation, and show how to fix each problem" },
  args: {
    ...ROOT_FLAG,
    ...PROXY_URL_FLAG,
    ...CODEX_BIN_FLAG,
    "codex-home": {
      type: "string",
      description: "Codex home of codexlb run (default ROOT/codex-home)",
      valueHint: "DIR",
    },
    fix: { type: "boolean", description: "Fix what can be fixed safely" },
    json: { type: "boolean", description: "Print JSON" },
  },
  run: async ({ args }) => {
    const context = contextOf(args.root);
    const flags: CodexFlags = {
      codexBin: args["codex-bin"],
      codexHome: args["codex-home"],
    };
    const daemon = await daemonAt(context.layout.adminSocket);
    const located = locate(context, { "proxy-url": args["proxy-url"] }, { daemon });
    // The checks that need it report why it cannot be found.
    located.catch(() => {});
    const frame = terminalFrame(context.deps.env);
    const examined: CheckResult[] = [];
    for await (const finding of examine(context, flags, daemon, located)) {
      const settled = await settle(finding, (args.fix ?? false) && rootExists(context));
      examined.push(settled);
      if (!args.json) print(frame === undefined ? checkText(settled) : checkLines(settled, frame));
    }
    const bad = examined.filter(({ status, fixed }) => status === "bad" && !fixed);
    if (args.json) {
      const runtime_auth = checkRuntimeAuth(homeToExamine(context, flags.codexHome).path);
      printJson({ ok: bad.length === 0, findings: examined, runtime_auth });
    }
    if (bad.length > 0)
      throw new CodexlbError("unhealthy", failureText(examined), {
        next: "the line below each of these checks says what to do",
      });
    if (frame !== undefined && !args.json) print(summaryLine(examined, frame));
  },
});

// --- internal ---

/** Yields each finding as soon as it is known, because Codex's test turn takes seconds. */
async function* examine(
  context: CommandContext,
  flags: CodexFlags,
  daemon: Daemon,
  located: Promise<Location>,
): AsyncGenerator<Finding> {
  const unreadable = unreadableRoot(context);
  if (unreadable !== undefined) {
    yield unreadable;
    return;
  }
  const proxyUrl = await located.then(namedUrl, () => undefined);
  yield* await orFinding("root", async () => examineRoot(context, proxyUrl));
  yield* await orFinding("accounts", async () => examineAccounts(context, proxyUrl));
  yield* await orFinding("cluster", () => examineCluster(context));
  yield* await orFinding("proxy", async () => {
    const location = await located.catch((error) => {
      if (error instanceof CodexlbError && error.code === "usage") throw error;
      return undefined; // the check of the root reports invalid settings
    });
    return waitingFor("checking the proxy and the backend", examineProxy(context, location, daemon));
  });
  yield* await orFinding("other clients", () => examineClients(context, located));
  yield* await orFinding("codex", () =>
    waitingFor("running a test turn with Codex", examineCodex(context, flags, located)),
  );
}

/** The proxy's address if it is named, without a slash at the end. */
function namedUrl(location: Location): string | undefined {
  return location.kind === "named" ? urlOf(location) : undefined;
}

/** Turns an error of one check into a finding, so that the other checks still run. */
async function orFinding(check: string, examination: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await examination();
  } catch (error) {
    const remedy = error instanceof CodexlbError ? error.next : undefined;
    return [{ check, status: "bad", detail: messageOf(error), ...(remedy === undefined ? {} : { remedy }) }];
  }
}

async function settle({ fix, ...finding }: Finding, applyFix: boolean): Promise<CheckResult> {
  if (!applyFix || fix === undefined) return { ...finding, fixed: false };
  try {
    await fix();
    return { ...finding, fixed: true };
  } catch (error) {
    const detail = `${finding.detail}; the fix failed: ${messageOf(error)}`;
    // The finding's own remedy would advise the fix that has just failed.
    const next = error instanceof CodexlbError ? error.next : undefined;
    const remedy = next ?? `remove the cause, then run: ${advised("doctor", "--fix")}`;
    return { ...finding, detail, remedy, fixed: false };
  }
}
