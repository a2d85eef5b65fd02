// Checks whether the requests of a run reach the proxy. A Codex that is configured to bypass the proxy shows no sign of
// it. So the proxy counts the requests of a run by a tag in their path, and the run reports it at its end.

import { z } from "zod";
import { type Door, textOf, through } from "../../admin/door.ts";
import { advised } from "../../advice.ts";
import { unknownAccountNext } from "../../auth/enrol.ts";
import { dotenvProblem, type ProxyDotenv } from "../../codex/dotenv.ts";
import { OUTAGE_CAUSES } from "../../core/account-state.ts";
import type { TagDemand } from "../../core/account-tags.ts";
import { counted } from "../../core/count-words.ts";
import { parseJson } from "../../core/json.ts";
import {
  type Absence,
  RUN_PATH,
  type RunSeen,
  type RunTag,
  runPrefix,
  THREAD_ID,
} from "../../core/run-tag.ts";
import type { Deps } from "../../deps.ts";
import { CodexlbError, withoutNext } from "../../errors.ts";
import { shortLine } from "../../printable.ts";
import { untagged } from "../accounts/untagged.ts";
import { KEY_NEXT } from "./runtime-home.ts";

/** What a run asks the proxy for: an account to which it is pinned, or accounts with a tag, and a wait for resets. */
export type RunChoice = Omit<RunTag, "id">;

/** A run that the proxy knows by its tag. */
export interface TaggedRun {
  readonly tag: RunTag;
  /** True if the proxy lets turns of the run wait for a reset. */
  readonly mayWait: boolean;
}

/**
 * The tag of a run; undefined if the proxy does not support tags of runs. If the run chooses accounts that are not
 * available, a warning is printed. `aliases` lists the proxy's accounts, for an alias that none of them has. Throws the
 * reason if the proxy cannot send the run's turns to these accounts.
 */
export async function tagRun(
  door: Door,
  { account, tags, waitSeconds }: RunChoice,
  { random, log }: Pick<Deps, "random" | "log">,
  aliases: () => Promise<readonly string[] | undefined>,
): Promise<TaggedRun | undefined> {
  const tag = { id: Buffer.from(random(8)).toString("hex"), account, tags, waitSeconds };
  const { status, body } = await ask(door, tag);
  const traffic = trafficIn(body);
  if (account !== undefined && traffic?.absence !== undefined)
    log.warn(
      `${account} ${ABSENCES[traffic.absence]}; other accounts serve until it is available again; for the reason, see: ${advised("account show", account)}`,
    );
  if (tags !== undefined && traffic?.tagged === 0) noteUntagged(tags, log);
  if (traffic !== undefined) return { tag, mayWait: traffic.waiting !== undefined };
  const choice = choiceWords({ account, tags, waitSeconds });
  if (choice === undefined) return undefined;
  const refusal = Refused.safeParse(body).data?.error;
  if (account !== undefined && refusal?.code === "account_not_found" && status === 404)
    throw await unknownAccount(account, aliases);
  if (refusal?.code === "unauthorized") {
    const { message, next = KEY_NEXT } = refusal;
    throw new CodexlbError("unauthorized", withoutNext(message, next), { next });
  }
  throw status === 0
    ? new CodexlbError("proxy_unreachable", `no proxy answers at ${door.url}, so the run cannot ${choice}`, {
        next: `start it with: ${advised("proxy start")}`,
      })
    : waitSeconds !== undefined
      ? new CodexlbError("proxy_answer", `the proxy at ${door.url} does not let turns wait for a reset`, {
          next: "leave --wait out, or upgrade that proxy",
        })
      : account === undefined
        ? new CodexlbError("proxy_answer", `the proxy at ${door.url} does not support account tags`, {
            next: "leave --tag out, or upgrade that proxy",
          })
        : new CodexlbError("proxy_answer", `the proxy at ${door.url} cannot pin a single run`, {
            next: `leave --account out, or pin it for everything: ${advised("account pin", account)}`,
          });
}

/** True if `args`, the arguments for Codex, start its terminal interface. */
export function isInteractive(args: readonly string[]): boolean {
  return !args.some((word) => EXEC.has(word) || SILENT_WORDS.has(word));
}

/** The traffic of the run at the proxy; undefined if the proxy does not answer. */
export async function trafficOf(door: Door, tag: RunTag): Promise<RunSeen | undefined> {
  return trafficIn((await ask(door, tag)).body);
}

/** Reports to the proxy that the run bypassed it, for its notifications. An error has no effect. */
export async function noteBypass(door: Door, tag: RunTag): Promise<void> {
  await ask(door, tag, "POST");
}

/** A run that has ended. */
export interface EndedRun {
  readonly proxyUrl: string;
  /** The arguments for Codex. */
  readonly args: readonly string[];
  readonly traffic: RunSeen;
  /** How Codex failed, such as `with code 3` or `by SIGTERM`; undefined if it succeeded. */
  readonly failure: string | undefined;
  /** `model_provider` in Codex's settings, and the file that sets it. */
  readonly provider: { readonly name: string; readonly path: string } | undefined;
  /** The `.env` of the home, if it makes Codex use an HTTP proxy. */
  readonly dotenv: ProxyDotenv | undefined;
}

/** True if Codex sends no turn with these arguments, such as `--version`. */
export function isSilent(args: readonly string[]): boolean {
  return args.some((word) => SILENT_WORDS.has(word));
}

/** A run whose turns did not reach the proxy. */
export interface BypassReport {
  readonly message: string;
  /** False if the user chose it on the command line, or Codex failed before it could send a turn. */
  readonly isUnexpected: boolean;
}

/** A report about a run that bypassed the proxy; undefined if its requests arrived, or it needed none. */
export function bypassReport(run: EndedRun): BypassReport | undefined {
  const { proxyUrl, args, traffic, failure, provider, dotenv } = run;
  if (traffic.turns > 0 || isSilent(args)) return undefined;
  const report = (why: string, isUnexpected = true): BypassReport => ({
    message: `the proxy at ${proxyUrl} received no ${traffic.requests === 0 ? "request" : "turn"} from this run: ${why}`,
    isUnexpected,
  });
  const chosen = chosenElsewhere(args);
  if (chosen !== undefined) return report(chosen, false);
  if (provider !== undefined && provider.name !== "openai")
    return report(
      `model_provider = ${JSON.stringify(provider.name)} in ${provider.path} makes Codex use another provider`,
    );
  if (dotenv !== undefined && failure !== undefined) return report(dotenvProblem(dotenv));
  if (traffic.requests === 0)
    return failure === undefined
      ? report(unknownCause())
      : report(`Codex ended ${failure} before it sent a request${SEE_CODEX}`, false);
  // Requests without a turn are normal for an interactive Codex in which the user typed nothing.
  return failure === undefined && args.some((word) => EXEC.has(word)) ? report(unknownCause()) : undefined;
}

/**
 * A message about the accounts that served turns of a run in place of `account`, to which it is pinned; undefined if
 * none did.
 */
export function othersReport(account: string, { others = [] }: RunSeen): string | undefined {
  const absence = others.at(-1)?.absence;
  if (others.length === 0) return undefined;
  const served = others.map(({ alias, turns }) => `${alias} served ${counted(turns, "turn")}`);
  const why = absence === undefined ? "could not" : ABSENCES[absence];
  return `${served.join(", ")} of this run, because ${account} ${why}`;
}

// --- internal ---

/** What the run asks for, in words; undefined if it asks for nothing. */
function choiceWords({ account, tags, waitSeconds }: RunChoice): string | undefined {
  if (account !== undefined) return `be pinned to ${account}`;
  if (tags !== undefined) return `be sent to accounts with the tag ${tags.tags.join(" or ")}`;
  return waitSeconds === undefined ? undefined : "wait for a reset";
}

/**
 * Warns that none of the proxy's accounts has one of the tags. Throws `account_not_found` if the run accepts no other
 * account.
 */
function noteUntagged({ tags, only }: TagDemand, log: Pick<Deps["log"], "warn">): void {
  const { why, next } = untagged(tags);
  if (only) throw new CodexlbError("account_not_found", why, { next });
  log.warn(`${why}, so any account serves; ${next}`);
}

async function unknownAccount(
  account: string,
  aliases: () => Promise<readonly string[] | undefined>,
): Promise<CodexlbError> {
  const known = await aliases();
  return new CodexlbError("account_not_found", `this proxy has no account ${JSON.stringify(account)}`, {
    next:
      known === undefined
        ? `list the accounts with: ${advised("account list")}`
        : unknownAccountNext(account, known),
  });
}

const ANSWER_MS = 3_000;
const SEE_CODEX = ", for a reason that its own output names";
/** Sub-commands that send a turn, unless they fail. */
const EXEC: ReadonlySet<string> = new Set(["exec", "e", "review"]);
/** Codex's sub-commands and flags that send no turn. */
const SILENT_WORDS: ReadonlySet<string> = new Set([
  ..."--help -h --version -V help login logout mcp mcp-server app-server completion features".split(" "),
  ..."plugin sandbox debug apply a cloud update doctor execpolicy generate-ts archive delete unarchive".split(
    " ",
  ),
]);

function unknownCause(): string {
  return `Codex bypassed the proxy, or sent no request; ${advised("doctor")} shows where Codex sends its turns`;
}

async function ask(
  door: Door,
  tag: RunTag,
  method: "GET" | "POST" = "GET",
): Promise<{ status: number; body: unknown }> {
  try {
    const url = `${door.url}${runPrefix(tag)}${RUN_PATH}`;
    const response = await through({ timeoutMs: ANSWER_MS, ...door })(url, { method });
    return { status: response.status, body: parseJson(await textOf(response)) };
  } catch {
    return { status: 0, body: undefined };
  }
}

function trafficIn(body: unknown): RunSeen | undefined {
  return Traffic.safeParse(body).data;
}

/** A cause that this version does not know counts as a failure. */
const Outage = z.object({
  causes: z.array(z.enum(OUTAGE_CAUSES).catch("failed")).optional(),
  first: z.object({ name: z.string().transform((text) => shortLine(text)), atMs: z.number() }).optional(),
  tags: z.array(z.array(z.string().transform((text) => shortLine(text)))).optional(),
});

/** A reason that this version does not know is ignored. */
const KnownAbsence = z.enum(["exhausted", "limited", "resting", "out"]).optional().catch(undefined);

const Traffic = z.object({
  requests: z.number(),
  turns: z.number(),
  threads: z.array(z.string().regex(THREAD_ID)).optional().catch(undefined),
  tagged: z.number().optional(),
  absence: KnownAbsence,
  others: z.array(z.object({ alias: z.string(), turns: z.number(), absence: KnownAbsence })).optional(),
  outage: Outage.optional().catch(undefined),
  waiting: z
    .object({
      turns: z.number(),
      resumed: z.number().optional(),
      untilMs: z.number().optional(),
      account: z
        .string()
        .transform((text) => shortLine(text))
        .optional(),
      window: z
        .string()
        .transform((text) => shortLine(text))
        .optional(),
    })
    .optional()
    .catch(undefined),
});

const ABSENCES: Readonly<Record<Absence, string>> = {
  exhausted: "is exhausted",
  limited: "has reached its usage limit",
  resting: "is cooling down after a failure",
  out: "is out of service",
};

/** An error of a codexlb proxy. Older versions send no `next`. */
const Refused = z.object({
  error: z.object({
    type: z.literal("codexlb_error"),
    code: z.string(),
    message: z.string().transform((text) => shortLine(text)),
    next: z
      .string()
      .transform((text) => shortLine(text))
      .optional(),
  }),
});

/** The argument that makes Codex send its turns elsewhere, in words; undefined if there is none. */
function chosenElsewhere(args: readonly string[]): string | undefined {
  if (args.includes("--oss")) return "--oss makes Codex use a local model";
  const given = args.find((word) => /^(?:--config=|-c)?model_provider\s*=/.test(word));
  if (given !== undefined) return `an argument makes Codex use another provider (${given})`;
  const url = args.find((word) => /^(?:--config=|-c)?(?:openai|chatgpt)_base_url\s*=/.test(word));
  return url === undefined ? undefined : `an argument makes Codex use another address (${url})`;
}
