// Lets one process at a time, among all replicas, send the refresh token of a login. The turn is written to the engine
// before the token is sent, together with the generation of the login that contains it. So a process that was killed in
// between leaves a trace, and no other replica sends the same token while the killed one may still have the new login.

import { basename } from "node:path";
import type { RenewalTurn, RenewalTurns, TurnOutcome } from "../auth/renewal-turns.ts";
import type { Deps } from "../deps.ts";
import { fullMessageOf } from "../errors.ts";
import { Login, loginFact } from "./facts.ts";
import type { LocalFacts } from "./local-facts.ts";
import type { PoolRecords } from "./pool-records.ts";
import type { ReplicaFile } from "./replica-file.ts";
import { markOf } from "./sealing.ts";

export interface LoginTurnsContext {
  readonly deps: Pick<Deps, "clock" | "log">;
  readonly records: PoolRecords;
  readonly file: ReplicaFile;
  readonly processId: string;
  readonly facts: () => LocalFacts | undefined;
  /** Brings root and engine into line. Throws like the engine. */
  readonly sync: () => Promise<void>;
  /** Resolves at the next change in the pool, or after `ms`. */
  readonly nextChange: (ms: number) => Promise<void>;
  /**
   * False shortly after a connection: a replica that was cut off from the engine as well may still send the login that
   * it has renewed, so its turn must not be taken over.
   */
  readonly takesOver: () => boolean;
  /** The names of the replicas for messages, by id. */
  readonly nameOf: (replica: string) => string;
  readonly leaseMs?: number;
}

/**
 * How long a turn lasts if its replica does not end it. Far longer than a request to the token endpoint, so only a
 * replica that was killed, stopped or cut off exceeds it. Logins are renewed ten minutes ahead, so others can wait.
 */
const LEASE_MS = 5 * 60_000;
/**
 * Longest wait for the turn of another replica. A renewal takes a second, so after this time the other one was killed
 * or stopped, and the request that waits can use another account.
 */
const LONGEST_WAIT_MS = 10_000;
/** Pause before a replica asks again for a turn that another one has, unless the pool changes earlier. */
const ASK_AGAIN_MS = 1_000;

export function loginTurns(context: LoginTurnsContext): RenewalTurns {
  const { clock } = context.deps;
  const leaseMs = context.leaseMs ?? LEASE_MS;
  return {
    begin: async (homeDir, login, timeoutMs) => {
      const deadlineMs = clock.monotonic() + Math.min(timeoutMs, LONGEST_WAIT_MS);
      const alias = basename(homeDir);
      let why = "";
      try {
        do {
          const answer = await ask({ ...context, leaseMs: Math.max(leaseMs, 2 * timeoutMs) }, alias, login);
          if (answer.kind !== "wait") return answer;
          why = answer.why;
          await context.nextChange(ASK_AGAIN_MS);
        } while (clock.monotonic() < deadlineMs);
        return { kind: "failed", why };
      } catch (error) {
        return { kind: "failed", why: `asking the pool: ${fullMessageOf(error)}` };
      }
    },
  };
}

// --- internal ---

type Asked = RenewalTurn | { readonly kind: "wait"; readonly why: string };

async function ask(
  context: LoginTurnsContext & { readonly leaseMs: number },
  alias: string,
  login: string,
): Promise<Asked> {
  const { deps, records, file, processId, facts: factsNow, sync, takesOver, nameOf, leaseMs } = context;
  const name = loginFact(alias);
  const facts = factsNow();
  const valueNow = () => facts?.valueOf(name);
  const isAgreed = () => markOf(valueNow() ?? "") === file.agreed(name).mark;
  // The token in the root may be one that the pool has replaced, or does not have yet.
  if (!isAgreed()) await sync();
  const value = valueNow();
  if (facts === undefined || value === undefined || !isAgreed())
    return { kind: "wait", why: "the pool does not have the current login yet" };
  const before = Login.parse(JSON.parse(value));
  if (before.auth !== login) return { kind: "replaced" };
  const { generation } = file.agreed(name);
  const byOther = (replica: string): string =>
    replica === file.replica ? "another process of this replica" : `the replica ${nameOf(replica)}`;
  const askedMs = deps.clock.now();
  const answer = await records.begin(name, generation, {
    replica: file.replica,
    processId,
    leaseMs,
    takesOver: takesOver(),
  });
  switch (answer.kind) {
    case "duplicate":
      // Throws if the other process is still there, and otherwise takes its place.
      await sync();
      return { kind: "wait", why: "another process was this replica a moment ago" };
    case "changed":
      await sync();
      return { kind: "wait", why: "the pool does not agree on the current login" };
    case "settling":
      return { kind: "wait", why: "the server has just started, and another replica may have a newer login" };
    case "busy":
      return { kind: "wait", why: `${byOther(answer.replica)} is renewing the login` };
    case "dead":
      return { kind: "dead", reason: answer.reason, why: "another replica was refused with the same login" };
    case "yours": {
      const { fence, lost } = answer;
      // A process that was stopped meanwhile may have lost its turn already. A clock that was set back is as unsure.
      const tookMs = deps.clock.now() - askedMs;
      if (tookMs < 0 || tookMs > leaseMs / 2) {
        await records.finish(name, fence, undefined);
        return { kind: "wait", why: "this process was stopped in the meantime" };
      }
      if (lost !== "")
        deps.log.warn(
          `${byOther(lost)} did not finish renewing the login of ${alias}; if it was killed after the token endpoint had answered, the login has ended and ${alias} must log in again`,
        );
      return {
        kind: "granted",
        end: (outcome) => end(context, { name, before, generation, fence }, outcome),
      };
    }
    default:
      return answer satisfies never;
  }
}

interface OwnTurn {
  readonly name: string;
  readonly before: Login;
  readonly generation: number;
  readonly fence: string;
}

async function end(
  { deps, records, file, facts, sync }: LoginTurnsContext,
  { name, before, generation, fence }: OwnTurn,
  outcome: TurnOutcome,
): Promise<void> {
  try {
    if (outcome.kind !== "renewed") {
      await records.finish(name, fence, outcome.kind === "dead" ? outcome.reason : undefined);
      return;
    }
    const value = JSON.stringify({ ...before, auth: outcome.login } satisfies Login);
    const isPut = await records.put({ name, value }, generation, generation + 1, fence);
    // If the root could not be written, the next comparison writes the login there.
    if (isPut && facts()?.valueOf(name) === value) {
      file.agree(name, { generation: generation + 1, mark: markOf(value) });
      file.flush();
    } else await sync();
  } catch (error) {
    // The comparison after the next connection sends the login. Until then no other replica sends its token.
    deps.log.warn(
      `sending the renewed login of ${name.slice(name.indexOf("/") + 1)} to the pool: ${fullMessageOf(error)}; it is kept, and sent later`,
    );
  }
}
