// `codexlb doctor`: looks at everything that has to be right, says what is not and what to do, and mends what is safe.

import { defineCommand } from "citty";
import { type Daemon, daemonAt } from "../../admin/daemon.ts";
import { checkRuntimeAuth } from "../../auth/runtime-auth.ts";
import { CodexlbError, messageOf } from "../../errors.ts";
import { print, printJson } from "../../print.ts";
import { oneLine } from "../../printable.ts";
import { CODEX_BIN_FLAG, PROXY_URL_FLAG, ROOT_FLAG } from "../common-flags.ts";
import { type CommandContext, contextOf, isThere } from "../context.ts";
import { type Location, locate, urlOf } from "../proxy/locate-proxy.ts";
import { waitingFor } from "../terminal/terminal.ts";
import { examineAccounts } from "./accounts.ts";
import { examineClients } from "./clients.ts";
import { type CodexFlags, examineCodex, runtimeHomeOf } from "./codex.ts";
import type { Examined, Finding } from "./finding.ts";
import { examineProxy } from "./proxy.ts";
import { examineRoot } from "./root.ts";

export default defineCommand({
  meta: { name: "codexlb doctor", description: "Find what is wrong, and say what to do about it" },
  args: {
    ...ROOT_FLAG,
    ...PROXY_URL_FLAG,
    ...CODEX_BIN_FLAG,
    "codex-home": {
      type: "string",
      description: "The home that codexlb run gives to Codex (default ROOT/runtime)",
      valueHint: "DIR",
    },
    fix: { type: "boolean", description: "Mend what can be mended safely" },
    json: { type: "boolean", description: "As JSON" },
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
    const examined: Examined[] = [];
    for await (const finding of examine(context, flags, daemon, located)) {
      const settled = await settle(finding, (args.fix ?? false) && isThere(context));
      examined.push(settled);
      if (!args.json) print(lineOf(settled));
    }
    const bad = examined.filter(({ status, fixed }) => status === "bad" && !fixed);
    if (args.json) {
      const runtime_auth = checkRuntimeAuth(runtimeHomeOf(context, flags));
      printJson({ ok: bad.length === 0, findings: examined, runtime_auth });
    }
    if (bad.length > 0)
      throw new CodexlbError("unhealthy", `${bad.length} of ${examined.length} checks failed`, {
        next: "what to do stands below each of them",
      });
  },
});

// --- internal ---

/** Each finding comes as soon as it is known, because Codex's own turn takes seconds. */
async function* examine(
  context: CommandContext,
  flags: CodexFlags,
  daemon: Daemon,
  located: Promise<Location>,
): AsyncGenerator<Finding> {
  yield* await orFinding("root", async () => examineRoot(context));
  yield* await orFinding("accounts", async () =>
    examineAccounts(context, await located.then(namedUrl, () => undefined)),
  );
  yield* await orFinding("proxy", async () => {
    const location = await located.catch((error) => {
      if (error instanceof CodexlbError && error.code === "usage") throw error;
      return undefined; // the check of the root reports invalid settings
    });
    return waitingFor("asking the proxy and the backend", examineProxy(context, location, daemon));
  });
  yield* await orFinding("other clients", () => examineClients(context, located));
  yield* await orFinding("codex", () =>
    waitingFor("taking a turn with Codex", examineCodex(context, flags, located)),
  );
}

/** The address of the proxy if it is named, without a slash at the end. */
function namedUrl(location: Location): string | undefined {
  return location.kind === "named" ? urlOf(location) : undefined;
}

/** What keeps one examination from being made keeps no other from it. */
async function orFinding(check: string, examination: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await examination();
  } catch (error) {
    const remedy = error instanceof CodexlbError ? error.next : undefined;
    return [{ check, status: "bad", detail: messageOf(error), ...(remedy === undefined ? {} : { remedy }) }];
  }
}

async function settle({ fix, ...finding }: Finding, mend: boolean): Promise<Examined> {
  if (!mend || fix === undefined) return { ...finding, fixed: false };
  try {
    await fix();
    return { ...finding, fixed: true };
  } catch (error) {
    return { ...finding, detail: `${finding.detail}; mending it failed: ${messageOf(error)}`, fixed: false };
  }
}

function lineOf({ check, status, detail, remedy, fixed }: Examined): string {
  const line = `${check}: ${fixed ? "fixed" : status} (${oneLine(detail)})\n`;
  return status === "ok" || fixed || remedy === undefined ? line : `${line}    ${oneLine(remedy)}\n`;
}
