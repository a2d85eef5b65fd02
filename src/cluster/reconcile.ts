// Compares the root with the engine, fact by fact (fact-decision.ts), and brings both into line.

import type { Log } from "../deps.ts";
import { CodexlbError, messageOf } from "../errors.ts";
import { type Decision, decide } from "./fact-decision.ts";
import { byOrder, subjectOf } from "./facts.ts";
import type { LocalFacts } from "./local-facts.ts";
import type { PoolRecord, PoolRecords } from "./pool-records.ts";
import type { Agreed, ReplicaFile } from "./replica-file.ts";
import { type Fact, markOf, type Sealer } from "./sealing.ts";

export interface ReconcileContext {
  readonly records: PoolRecords;
  readonly sealer: Sealer;
  readonly file: ReplicaFile;
  readonly facts: LocalFacts;
  readonly log: Log;
  /** The name of the proxy, which is sent with operators' changes. Default: none is sent. */
  readonly name?: () => string;
  /** Called after the root got another login for an account that it has. */
  readonly renewed?: () => void;
}

/** Rounds in one call. Another replica may change a fact in between, which takes one more. */
const MOST_ROUNDS = 5;

/** Returns a function that compares all once; it throws `cluster_unreachable`, `cluster_refused`, `file_unusable`. */
export function createReconciler(context: ReconcileContext): () => Promise<void> {
  const warned = new Set<string>();
  const warn = (message: string): void => {
    if (!warned.has(message)) context.log.warn(message);
    warned.add(message);
  };
  return async () => {
    for (let round = 0; round < MOST_ROUNDS; round++) if (await isSettled(context, warn)) return;
  };
}

/** True if the root has changed a fact since both last agreed on it, or an operator is about to. */
export function hasChanges({ file, facts }: ReconcileContext): boolean {
  const local = facts.read();
  return [...new Set([...local.keys(), ...file.names(), ...file.pending()])].some((name) => {
    const value = local.get(name);
    return file.operatorChange(name) !== "none" || markOfAny(value) !== file.agreed(name).mark;
  });
}

// --- internal ---

function markOfAny(value: string | null | undefined): string {
  return value == null ? "" : markOf(value);
}

/** One round. Returns false if something changed meanwhile. */
async function isSettled(context: ReconcileContext, warn: (message: string) => void): Promise<boolean> {
  const { records, sealer, file, facts } = context;
  const generations = await records.generations();
  const known = new Set([...facts.read().keys(), ...file.names(), ...file.pending()]);
  const names = new Map([...known].map((name) => [sealer.tagOf(name), name]));
  const differing = [...generations].filter(([tag, generation]) => {
    const name = names.get(tag);
    return name === undefined || file.agreed(name).generation !== generation;
  });
  const found = await records.records(differing.map(([tag]) => tag));
  for (const [tag, { opened }] of found)
    if (opened?.kind === "fact") names.set(tag, opened.fact.name);
    else if (opened !== undefined) warn(UNREADABLE[opened.kind]);
  let settled = true;
  for (const [tag, name] of [...names].sort(([, a], [, b]) => byOrder(a, b))) {
    const record = found.get(tag) ?? { generation: generations.get(tag) ?? 0, opened: undefined };
    if (record.generation !== 0 && found.has(tag) && record.opened?.kind !== "fact") continue;
    if (subjectOf(name) === undefined) warn(UNREADABLE.newer);
    else if (!(await carryOut(context, warn, name, record))) settled = false;
  }
  facts.flush();
  file.flush();
  return settled;
}

const UNREADABLE = {
  newer:
    "the pool has records from a later version of codexlb, which this replica ignores; upgrade this replica",
  foreign: "the server has records that the pool's key does not open; this replica ignores them",
} as const;

/** Returns false if the fact must be compared again. */
async function carryOut(
  { records, sealer, file, facts, name: ownName, renewed = () => {} }: ReconcileContext,
  warn: (message: string) => void,
  name: string,
  { generation, opened }: PoolRecord,
): Promise<boolean> {
  // Read again, because an operator may have changed it since the round began.
  const value = facts.valueOf(name);
  const agreed = file.agreed(name);
  const sealed = opened?.kind === "fact" ? opened.fact.value : undefined;
  const engineMark = sealed === undefined ? (generation === 0 ? "" : agreed.mark) : markOfAny(sealed);
  const rootMark = markOfAny(value);
  const markNow = () => markOfAny(facts.valueOf(name));
  const isLogin = subjectOf(name)?.kind === "login";
  const operator = file.operatorChange(name);
  const fact = { name, value: value ?? null, by: operator === "none" ? undefined : ownName?.() };
  const decision: Decision = decide({
    agreed,
    engine: { generation, mark: engineMark },
    rootMark,
    operator,
    isLogin,
  });
  switch (decision.kind) {
    case "nothing":
      return true;
    case "agree":
      file.agree(name, { generation, mark: engineMark });
      return true;
    case "send":
      if (!(await records.put(fact, generation, decision.generation))) return false;
      return sent(file, name, { generation: decision.generation, mark: rootMark }, markNow);
    case "revive": {
      const after = await records.revive(fact, generation);
      return after !== undefined && sent(file, name, { generation: after, mark: rootMark }, markNow);
    }
    case "take": {
      const wanted = opened?.kind === "fact" ? opened.fact : await current(records, sealer, name, generation);
      // Only what was compared may be replaced.
      if (wanted === undefined || markNow() !== rootMark) return false;
      try {
        if (!facts.apply(name, wanted.value, wanted.by)) return true;
      } catch (error) {
        if (error instanceof CodexlbError && error.code === "file_unusable") throw error;
        warn(`taking ${name} from the pool: ${messageOf(error)}`);
        return true;
      }
      file.agree(name, { generation, mark: markOfAny(wanted.value) });
      if (isLogin && rootMark !== "" && wanted.value !== null) renewed();
      return true;
    }
    default:
      return decision satisfies never;
  }
}

/** The engine has the root's value now. Returns false if the root has changed while it was sent. */
function sent(file: ReplicaFile, name: string, agreed: Agreed, markNow: () => string): boolean {
  const isChanged = markNow() !== agreed.mark;
  const operator = file.operatorChange(name);
  file.agree(name, agreed);
  if (isChanged && operator === "begun") file.expect([name]);
  if (isChanged && operator === "done") file.confirm([name]);
  return !isChanged;
}

/** The fact as `generation` in the engine; undefined if it has another one now. */
async function current(
  records: PoolRecords,
  sealer: Sealer,
  name: string,
  generation: number,
): Promise<Fact | undefined> {
  const record = (await records.records([sealer.tagOf(name)])).get(sealer.tagOf(name));
  return record?.generation === generation && record.opened?.kind === "fact" ? record.opened.fact : undefined;
}
