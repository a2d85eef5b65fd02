// Whether a run comes by at the proxy at all. Codex that is set up to go elsewhere says nothing of it, and works past
// the accounts: so the run's requests are counted by a tag in their path, and the user is told at the end.

import { z } from "zod";
import { type Door, textOf, through } from "../../admin/door.ts";
import { dotenvProblem, type ProxyDotenv } from "../../codex/dotenv.ts";
import { parseJson } from "../../core/json.ts";
import { type RunSeen, type RunTag, runPrefix } from "../../core/run-tag.ts";
import type { Deps } from "../../deps.ts";
import { CodexlbError } from "../../errors.ts";

/**
 * The tag of a run; undefined when the proxy does not know of tags. `account`: the run is pinned to it, and it is
 * warned of one that cannot serve.
 */
export async function tagRun(
  door: Door,
  account: string | undefined,
  { random, log }: Pick<Deps, "random" | "log">,
): Promise<RunTag | undefined> {
  const tag = { id: Buffer.from(random(8)).toString("hex"), account };
  const { status, body } = await ask(door, tag);
  const seen = seenIn(body);
  if (seen?.absence !== undefined)
    log.warn(`${account} ${ABSENCES[seen.absence]}; until it is back, others serve`);
  if (seen !== undefined) return tag;
  if (account === undefined) return undefined;
  const code = errorCodeIn(body);
  if (code === "account_not_found" && status === 404)
    throw new CodexlbError(
      "account_not_found",
      `this proxy has no account ${JSON.stringify(account)} of its own`,
      { next: "list the accounts with: codexlb status" },
    );
  if (code === "unauthorized")
    throw new CodexlbError("unauthorized", "this proxy requires a key", {
      next: "set CODEXLB_KEY to a key of that proxy (codexlb key add NAME makes one there)",
    });
  throw status === 0
    ? new CodexlbError(
        "proxy_unreachable",
        `nobody answers at ${door.url} who could use account ${account}`,
        {
          next: "start it with: codexlb proxy",
        },
      )
    : new CodexlbError("proxy_answer", `the proxy at ${door.url} cannot pin a single run`, {
        next: `leave --account out, or pin it for everything: codexlb account pin ${account}`,
      });
}

/** What the proxy has seen of the run; undefined when it does not answer. */
export async function seenOf(door: Door, tag: RunTag): Promise<RunSeen | undefined> {
  return seenIn((await ask(door, tag)).body);
}

export interface EndedRun {
  readonly proxyUrl: string;
  /** Codex's own arguments. */
  readonly args: readonly string[];
  readonly seen: RunSeen;
  /** Undefined: it ended well; else how, as `with code 3`, `by SIGTERM`. */
  readonly failure: string | undefined;
  /** `model_provider` of the settings that Codex had, and the file that it stands in. */
  readonly provider: { readonly name: string; readonly path: string } | undefined;
  /** The `.env` of the home, if it makes Codex use an HTTP proxy. */
  readonly dotenv: ProxyDotenv | undefined;
}

/** What is to be said of a run that did not come by; undefined when it did, or had no reason to. */
export function missedRun(run: EndedRun): string | undefined {
  const { proxyUrl, args, seen, failure, provider, dotenv } = run;
  if (seen.turns > 0 || args.some((word) => SILENT_WORDS.has(word))) return undefined;
  const report = (why: string) =>
    `the proxy at ${proxyUrl} saw no ${seen.requests === 0 ? "request" : "turn"} of this run: ${why}`;
  const why = whyElsewhere(args, provider);
  if (why !== undefined) return report(why);
  if (dotenv !== undefined && failure !== undefined) return report(dotenvProblem(dotenv));
  if (seen.requests === 0)
    return report(failure === undefined ? UNKNOWN : `Codex ended ${failure} before it asked for anything`);
  // Other requests alone are those of somebody who has looked in, and typed nothing.
  return failure === undefined && args.some((word) => EXEC.has(word)) ? report(UNKNOWN) : undefined;
}

// --- internal ---

const ANSWER_MS = 3_000;
const UNKNOWN =
  "it went past the accounts, or asked for nothing; codexlb doctor shows where Codex sends its turns";
/** Sub-commands that take a turn, or fail. */
const EXEC: ReadonlySet<string> = new Set(["exec", "e", "review"]);
/** Sub-commands and flags of Codex with which it asks nobody for a turn. */
const SILENT_WORDS: ReadonlySet<string> = new Set([
  ..."--help -h --version -V help login logout mcp mcp-server app-server completion features".split(" "),
  ..."plugin sandbox debug apply a cloud update doctor execpolicy generate-ts archive delete unarchive".split(
    " ",
  ),
]);

async function ask(door: Door, tag: RunTag): Promise<{ status: number; body: unknown }> {
  try {
    const response = await through({ timeoutMs: ANSWER_MS, ...door })(`${door.url}${runPrefix(tag)}/run`);
    return { status: response.status, body: parseJson(await textOf(response)) };
  } catch {
    return { status: 0, body: undefined };
  }
}

function seenIn(body: unknown): RunSeen | undefined {
  return Seen.safeParse(body).data;
}

const Seen = z.object({
  requests: z.number(),
  turns: z.number(),
  // A reason that this version does not know is none that it could tell.
  absence: z.enum(["exhausted", "resting", "out"]).optional().catch(undefined),
});

const ABSENCES: Readonly<Record<NonNullable<RunSeen["absence"]>, string>> = {
  exhausted: "is used up",
  resting: "rests after a failure",
  out: "is out of service",
};

/** The code of the error that the proxy returned; undefined if it is not an error of a codexlb proxy. */
function errorCodeIn(body: unknown): string | undefined {
  return Refused.safeParse(body).data?.error.code;
}

const Refused = z.object({
  error: z.object({ type: z.literal("codexlb_error"), code: z.string() }),
});

function whyElsewhere(args: readonly string[], provider: EndedRun["provider"]): string | undefined {
  if (args.includes("--oss")) return "--oss has Codex use a model of this machine";
  const given = args.find((word) => /^(?:--config=|-c)?model_provider\s*=/.test(word));
  if (given !== undefined) return `Codex was told to use another provider (${given})`;
  const url = args.find((word) => /^(?:--config=|-c)?(?:openai|chatgpt)_base_url\s*=/.test(word));
  if (url !== undefined) return `Codex was told to go elsewhere (${url})`;
  if (provider !== undefined && provider.name !== "openai")
    return `model_provider = ${JSON.stringify(provider.name)} in ${provider.path} has Codex use another provider`;
  return undefined;
}
