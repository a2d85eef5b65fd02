// ROOT/cluster.json: which pool the root belongs to, and what of each fact it has last agreed on with the engine. So a
// replica knows after a restart which side has changed since.

import { z } from "zod";
import { advised } from "../advice.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError } from "../errors.ts";
import { readTextIfPresent, writeFileAtomic } from "../state/atomic-file.ts";
import type { PutBack, PutBackNotes } from "./put-back.ts";

/** What the root and the engine last agreed on. `mark` is a hash of the value; "" after a removal. */
export interface Agreed {
  readonly generation: number;
  readonly mark: string;
}

/** The generation of a fact that the root has never had. */
export const NEVER_AGREED: Agreed = { generation: 0, mark: "" };

/**
 * What operators have done to a fact here that the engine does not have yet. `begun`: a command has begun to change the
 * fact, and may have been killed before it did. `done`: a command has reported success, so the value must not be lost.
 */
export type OperatorChange = "none" | "begun" | "done";

export interface ReplicaFile {
  /** The id of this replica. */
  readonly replica: string;
  readonly pool: string;
  readonly poolId: string;
  agreed(name: string): Agreed;
  names(): Iterable<string>;
  /** How many replicas the pool had when this one last knew, with itself. */
  replicas(): number;
  /** The pool has `replicas` replicas now. */
  counted(replicas: number): void;
  agree(name: string, agreed: Agreed): void;
  operatorChange(name: string): OperatorChange;
  /** The facts with a change by an operator. */
  pending(): readonly string[];
  /** Notes that an operator is about to change these facts, and writes that to disk. Throws `file_unusable`. */
  expect(names: readonly string[]): void;
  /** Notes that the operator's command has set these facts, and writes that to disk. Throws `file_unusable`. */
  confirm(names: readonly string[]): void;
  readonly putBack: PutBackNotes;
  /** Writes what has changed to disk. Throws `file_unusable`. */
  flush(): void;
}

/** A new id of a pool, a replica or a process. */
export function newId({ random }: Pick<Deps, "random">): string {
  return Buffer.from(random(ID_BYTES)).toString("hex");
}

/** A new file for a root that becomes a replica. Throws `file_unusable`. */
export function createReplicaFile(path: string, replica: string, pool: string, poolId: string): ReplicaFile {
  const file = opened(path, {
    version: VERSION,
    replica,
    pool,
    pool_id: poolId,
    facts: {},
    pending: [],
    confirmed: [],
    put_back: {},
    replicas: 1,
  });
  file.expect([]);
  return file;
}

/** The file of a replica; undefined if the root is none. Throws `file_unusable` for a damaged file. */
export function openReplicaFile(path: string): ReplicaFile | undefined {
  const text = readTextIfPresent(path);
  if (text === undefined) return undefined;
  try {
    return opened(path, Content.parse(JSON.parse(text)));
  } catch (error) {
    throw new CodexlbError("file_unusable", `reading ${path}: the file is damaged`, {
      next: `restore it from a backup, or join again with an empty root: ${advised("cluster join")}`,
      cause: error,
    });
  }
}

// --- internal ---

const VERSION = 1;
const ID_BYTES = 8;

type Content = z.output<typeof Content>;
const Content = z.object({
  version: z.literal(VERSION),
  replica: z.string(),
  pool: z.string(),
  pool_id: z.string(),
  facts: z.record(z.string(), z.object({ generation: z.number(), mark: z.string() })),
  pending: z.array(z.string()),
  /** Those of `pending` whose command has succeeded. */
  confirmed: z.array(z.string()).default([]),
  put_back: z.record(z.string(), z.object({ at_ms: z.number(), login: z.string().optional() })).default({}),
  replicas: z.int().positive().default(1),
});

function opened(path: string, content: Content): ReplicaFile {
  const facts = new Map<string, Agreed>(Object.entries(content.facts));
  const pending = new Set(content.pending);
  const confirmed = new Set(content.confirmed);
  const putBack = new Map(
    Object.entries(content.put_back).map(([id, { at_ms: atMs, login }]) => [id, { atMs, login } as PutBack]),
  );
  let { replicas } = content;
  let isDirty = false;
  const write = () => {
    const next: Content = {
      ...content,
      facts: Object.fromEntries(facts),
      pending: [...pending],
      confirmed: [...confirmed],
      put_back: Object.fromEntries([...putBack].map(([id, { atMs, login }]) => [id, { at_ms: atMs, login }])),
      replicas,
    };
    writeFileAtomic(path, `${JSON.stringify(next, undefined, 2)}\n`);
    isDirty = false;
  };
  return {
    replica: content.replica,
    pool: content.pool,
    poolId: content.pool_id,
    agreed: (name) => facts.get(name) ?? NEVER_AGREED,
    names: () => facts.keys(),
    replicas: () => replicas,
    counted: (count) => {
      isDirty ||= count !== replicas;
      replicas = count;
    },
    agree: (name, agreed) => {
      facts.set(name, agreed);
      pending.delete(name);
      confirmed.delete(name);
      isDirty = true;
    },
    operatorChange: (name) => (confirmed.has(name) ? "done" : pending.has(name) ? "begun" : "none"),
    pending: () => [...pending],
    expect: (names) => {
      for (const name of names) pending.add(name);
      write();
    },
    confirm: (names) => {
      for (const name of names) {
        pending.add(name);
        confirmed.add(name);
      }
      write();
    },
    putBack: {
      all: () => putBack,
      note: (accountId, note) => {
        putBack.set(accountId, note);
        write();
      },
      forget: (accountId) => {
        isDirty = putBack.delete(accountId) || isDirty;
      },
    },
    flush: () => {
      if (isDirty) write();
    },
  };
}
