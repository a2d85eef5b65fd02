// Scripted faults of the simulated backend: which requests fail, and how.

import { z } from "zod";
import { plainIssue } from "../core/plain-issues.ts";

/**
 * The kinds of requests that a fault can match. `turn` is a turn on either transport, `sse` and `message` one on a
 * single transport; `warmup` is the request that warms up a WebSocket. `resets` lists reset credits, `redeem` spends one.
 */
export const FAULT_POINTS = [
  "turn",
  "sse",
  "message",
  "warmup",
  "upgrade",
  "models",
  "usage",
  "accounts",
  "resets",
  "redeem",
  "token",
  "other",
] as const;
export type FaultPoint = (typeof FAULT_POINTS)[number];

const End = z.enum(["finish", "reset", "hang", "close"]);

const EFFECTS = ["delayMs", "answer", "events", "cutAfter", "gateAfter", "end", "reset", "hang"] as const;

const FaultFields = z.strictObject({
  on: z.enum(FAULT_POINTS),
  /** Only for this account (alias). Default: every account. */
  account: z.string().optional(),
  /** Lets this many matching requests pass first. */
  skip: z.number().int().nonnegative().default(0),
  /** Applies this often, then never again. Default: always. */
  times: z.number().int().positive().optional(),
  /** Waits this long first. */
  delayMs: z.number().int().nonnegative().optional(),
  /** Responds with this instead. On a WebSocket message: the text frame to send. */
  answer: z
    .strictObject({
      status: z.number().int().min(200).max(599),
      headers: z.record(z.string(), z.string()).optional(),
      body: z.unknown().optional(),
    })
    .optional(),
  /** Sends these events in place of the turn's own. */
  events: z.array(z.record(z.string(), z.unknown())).optional(),
  /** Sends only this many events of the turn. */
  cutAfter: z.number().int().nonnegative().optional(),
  /** Sends this many events, waits for `release`, then sends the rest and the end. */
  gateAfter: z.number().int().nonnegative().optional(),
  /**
   * What follows the events: the regular end, a reset connection, silence, or (WebSocket) a close frame. Default
   * `finish`.
   */
  end: End.optional(),
  /** Close code with `end: "close"`. */
  closeCode: z.number().int().default(1012),
  /** Breaks the connection before the response. */
  reset: z.boolean().optional(),
  /** Never responds. */
  hang: z.boolean().optional(),
});

/** A fault without an effect would only keep the faults after it from happening. */
const Fault = FaultFields.refine((fault) => EFFECTS.some((effect) => fault[effect] !== undefined), {
  error: `has no effect: add ${EFFECTS.slice(0, -1).join(", ")} or ${EFFECTS.at(-1)}`,
});

/** Lists of faults, for help texts and errors. They may be wrapped at any space. */
export const FAULT_EXAMPLES = {
  "an account at its limit":
    '[{"on": "turn", "account": "alice", "answer": {"status": 429, "body": {"error": {"type": "usage_limit_reached", "resets_in_seconds": 3600}}}}]',
  "one turn that the backend refuses because of overload":
    '[{"on": "turn", "times": 1, "answer": {"status": 503}}]',
  "one response that breaks off after its first output":
    '[{"on": "turn", "times": 1, "cutAfter": 4, "end": "reset"}]',
} as const;

/** The form of a list of faults, for errors. */
export const FAULT_FORM = FAULT_EXAMPLES["one turn that the backend refuses because of overload"];

/** The keys of a fault and the values of `on`, for help texts. */
export const FAULT_KEYS = `on (${FAULT_POINTS.join(", ")}), ${Object.keys(FaultFields.shape)
  .filter((key) => key !== "on")
  .join(", ")}`;

export type FaultsResult =
  | { readonly kind: "faults"; readonly faults: readonly Fault[] }
  | { readonly kind: "invalid"; readonly why: string };

/** Reads a list of faults, or one fault. `aliases`: the accounts that faults may name. */
export function readFaults(value: unknown, aliases: readonly string[]): FaultsResult {
  const list = z.array(Fault).safeParse(Array.isArray(value) ? value : [value], { error: plainIssue });
  if (!list.success) {
    const [issue] = list.error.issues;
    const [index = 0, ...path] = issue?.path ?? [];
    const where = path.length === 0 ? "" : `${path.join(".")}: `;
    return { kind: "invalid", why: `fault ${Number(index) + 1}: ${where}${issue?.message}` };
  }
  for (const [index, { account }] of list.data.entries())
    if (account !== undefined && !aliases.includes(account))
      return {
        kind: "invalid",
        why: `fault ${index + 1}: there is no account ${JSON.stringify(account)} (accounts: ${aliases.join(", ")})`,
      };
  return { kind: "faults", faults: list.data };
}

export type Fault = z.output<typeof Fault>;
export type FaultInput = z.input<typeof Fault>;

/** True if a fault changes the events of a turn, instead of replacing the response. */
export function changesEvents({ events, cutAfter, gateAfter, end }: Fault): boolean {
  return [events, cutAfter, gateAfter, end].some((part) => part !== undefined);
}

export interface FaultScript {
  add(...faults: FaultInput[]): void;
  clear(): void;
  /** Frees one response at its gate: a waiting one, else the next. Responses whose client disconnected do not count. */
  release(): void;
  /** Resolves when a response at its gate is freed. */
  released(isGone: () => boolean): Promise<void>;
  /** The fault that matches this request, if there is one. */
  take(points: readonly FaultPoint[], account: string | undefined): Fault | undefined;
}

export function createFaultScript(): FaultScript {
  let permits = 0;
  let waiting: { readonly goOn: () => void; readonly isGone: () => boolean }[] = [];
  let rules: { fault: Fault; skip: number; left: number }[] = [];
  return {
    add: (...faults) => {
      for (const input of faults) {
        const fault = Fault.parse(input);
        rules.push({ fault, skip: fault.skip, left: fault.times ?? Number.POSITIVE_INFINITY });
      }
    },
    clear: () => {
      rules = [];
    },
    release: () => {
      waiting = waiting.filter(({ isGone }) => !isGone());
      const next = waiting.shift();
      if (next === undefined) permits++;
      else next.goOn();
    },
    released: async (isGone) => {
      if (permits > 0) permits--;
      else await new Promise<void>((goOn) => waiting.push({ goOn, isGone }));
    },
    take: (points, account) => {
      for (const rule of rules) {
        const { fault } = rule;
        if (!points.includes(fault.on) || (fault.account !== undefined && fault.account !== account))
          continue;
        if (rule.left <= 0) continue;
        if (rule.skip > 0) {
          rule.skip--;
          continue;
        }
        rule.left--;
        return fault;
      }
      return undefined;
    },
  };
}
