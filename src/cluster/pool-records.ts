// The records of a pool in the engine: reads and writes them by the scripts, and checks the key.

import { z } from "zod";
import { CodexlbError } from "../errors.ts";
import type { Engine } from "./engine.ts";
import type { Keyring } from "./keyring.ts";
import { channelOf } from "./scripts.ts";
import type { Fact, Opened, Sealer } from "./sealing.ts";
import type { SignalPosition } from "./signal-records.ts";

/** What the engine has of one fact. Generation 0: nothing. */
export interface PoolRecord {
  readonly generation: number;
  readonly opened: Opened | undefined;
}

/** The answer to a replica that wants to send a refresh token (`begin` in scripts.ts). */
export type TurnAnswer =
  /** Another process is the replica. */
  | { readonly kind: "duplicate" }
  | { readonly kind: "changed" }
  | { readonly kind: "settling"; readonly ms: number }
  | { readonly kind: "busy"; readonly replica: string }
  | { readonly kind: "dead"; readonly reason: string }
  /** `lost`: the replica that had a turn with this token and did not end it; "" if none did. */
  | { readonly kind: "yours"; readonly fence: string; readonly lost: string };

export interface PoolState {
  /** The id of the pool; undefined if there is none. */
  readonly poolId: string | undefined;
  /** Changes with every change of a fact. */
  readonly revision: string;
  readonly signals: SignalPosition;
  /** The engine's time, Unix ms. */
  readonly engineMs: number;
  /** How many records of turns and switches the replicas have sent. */
  readonly sentRecords: string;
  /** True if another process, which was seen a moment ago, is the replica that asked. */
  readonly isDuplicate: boolean;
  readonly members: readonly Member[];
}

/** Another replica, as the engine knows it. */
export interface Member {
  readonly id: string;
  readonly about: ReplicaDescription;
  /** How long ago it was connected, ms. */
  readonly agoMs: number;
}

/** What a replica says about itself. */
export type ReplicaDescription = z.output<typeof ReplicaDescription>;
const ReplicaDescription = z.object({
  name: z.string(),
  version: z.string(),
  /** The `keyId` of the next key, if the replica has it. */
  next_key: z.string().optional(),
  /** Why the replica cannot use its file of the next key. */
  next_key_problem: z.string().optional(),
  /** Its proxy was stopped by an operator. Absent while it runs, and in descriptions by earlier versions. */
  stopped: z.boolean().optional(),
});

/** What a replica says about its next key. */
export type NextKeyState = Pick<ReplicaDescription, "next_key" | "next_key_problem">;

/** All methods throw `cluster_unreachable` and `cluster_refused`. */
export interface PoolRecords {
  /**
   * The id of the pool; undefined if the engine has no pool of this name. `runId`: the engine's start, if a replica
   * asks. Also throws if the key does not open the pool.
   */
  find(runId?: string): Promise<string | undefined>;
  /** Creates the pool `id` if the engine has none. `isRebuilt`: it existed before. Returns the id of the pool there. */
  create(id: string, runId: string, isRebuilt: boolean): Promise<string>;
  /**
   * Reports the replica as connected, and asks for the state of the pool. `isFirst`: the process was not the replica
   * before, and takes the place of a process that is.
   */
  poll(
    replica: string,
    about: ReplicaDescription,
    by: { readonly processId: string; readonly isFirst: boolean },
  ): Promise<PoolState>;
  /** Reports the replica as stopped, unless a process other than `processId` is the replica. */
  stop(replica: string, about: ReplicaDescription, processId: string): Promise<void>;
  /**
   * Forgets the replica (`left`). Changes nothing if one of its processes is connected, so that only a copy of its root
   * leaves (`copy`), or if it is the last one of the pool and `mayBeLast` is false (`last`).
   */
  leave(replica: string, mayBeLast: boolean): Promise<"left" | "copy" | "last">;
  members(): Promise<Member[]>;
  /** The generation of each fact, by tag. */
  generations(): Promise<Map<string, number>>;
  records(tags: readonly string[]): Promise<Map<string, PoolRecord>>;
  /** Writes `fact` as `generation` over the generation `over`. Returns false if the engine has another generation. */
  put(fact: Fact, over: number, generation: number, fence?: string): Promise<boolean>;
  /**
   * A login was imported again unchanged. If the engine has its refresh token as refused, writes it as the generation
   * after `over`. Returns the generation of the login in the engine; undefined if that was not `over`.
   */
  revive(fact: Fact, over: number): Promise<number | undefined>;
  /** `name`: of a login's fact. `takesOver`: a turn that another process did not end in time may be taken over. */
  begin(
    name: string,
    generation: number,
    by: {
      readonly replica: string;
      readonly processId: string;
      readonly leaseMs: number;
      readonly takesOver: boolean;
    },
  ): Promise<TurnAnswer>;
  /** `deadReason`: if the token was refused for good. */
  finish(name: string, fence: string, deadReason: string | undefined): Promise<void>;
  /** Takes the leases of these jobs for a process. Returns for each whether the process has it now. */
  lease(processId: string, jobs: readonly string[]): Promise<boolean[]>;
  /** Gives back the leases of these jobs that the process has. */
  release(processId: string, jobs: readonly string[]): Promise<void>;
  /**
   * Seals all facts with the key of `next`, in one step; then only that key opens the pool. Nothing is done if a fact
   * has changed meanwhile, or while a replica renews a login. Also throws `cluster_refused` for facts that cannot be
   * opened.
   */
  rekey(poolId: string, next: Sealer): Promise<"done" | "changed" | "renewing">;
}

/** `use`: chooses the key of `sealer` for which the function returns true (keyring.ts). Default: it has one key. */
export function poolRecords(
  engine: Engine,
  sealer: Sealer,
  pool: string,
  use: Keyring["use"] = (opens) => opens(sealer),
): PoolRecords {
  /** That of the pool which was found or created last. */
  let identity = "";
  const open = async (id: string, runId: string, isRebuilt: boolean): Promise<string | undefined> => {
    const check = id === "" ? "" : checkOf(sealer, id);
    const args = [id, check, isRebuilt ? 1 : 0, runId, identityOf(sealer, id)];
    const found = Meta.parse(await engine.run("open", ...args));
    const [schema, poolId, sealed] = found;
    if (poolId === null || sealed === null) return undefined;
    if (Number(schema) > SCHEMA)
      throw refused(engine, `the pool ${pool} was created by a later version of codexlb`, "upgrade codexlb");
    if (!use((one) => isCheck(one, sealed, poolId)))
      throw refused(
        engine,
        `the key does not open the pool ${pool}`,
        "copy the key file of another replica to cluster.key_file; a running replica then uses it without a restart",
      );
    identity = identityOf(sealer, poolId);
    return poolId;
  };
  const leaseTag = (job: string) => sealer.tagOf(`lease/${job}`);
  const membersIn = (flat: readonly string[]): Member[] =>
    chunks(flat, 3).flatMap(([id = "", sealed = "", ms]) => {
      const opened = sealer.open(sealer.tagOf(`replica/${id}`), 0, sealed);
      const text = opened.kind === "fact" ? opened.fact.value : null;
      const about = text === null ? undefined : ReplicaDescription.safeParse(JSON.parse(text)).data;
      return about === undefined ? [] : [{ id, about, agoMs: Number(ms) }];
    });
  const read = async (tags: readonly string[]): Promise<Map<string, PoolRecord>> => {
    const found = new Map<string, PoolRecord>();
    for (const part of chunks(tags, AT_ONCE)) {
      const flat = chunks(Texts.parse(await engine.run("records", ...part)), 2);
      part.forEach((tag, index) => {
        const [generation, sealed = ""] = flat[index] ?? [];
        const opened = sealed === "" ? undefined : sealer.open(tag, Number(generation), sealed);
        found.set(tag, { generation: Number(generation), opened });
      });
    }
    return found;
  };
  const described = (replica: string, about: ReplicaDescription): string =>
    sealer.seal({ name: `replica/${replica}`, value: JSON.stringify(about) }, 0);
  return {
    find: (runId = "") => open("", runId, false),
    create: async (id, runId, isRebuilt) => (await open(id, runId, isRebuilt)) ?? "",
    poll: async (replica, about, { processId, isFirst }) => {
      const args = [replica, described(replica, about), identity, processId, isFirst ? 1 : 0];
      const answer = Polled.parse(await engine.run("poll", ...args));
      const [poolId, revision, epoch, signal, engineMs, sentRecords, isDuplicate, members] = answer;
      return {
        poolId: poolId || undefined,
        revision,
        signals: { epoch, revision: Number(signal) },
        engineMs: Number(engineMs),
        sentRecords,
        isDuplicate: isDuplicate === 1,
        members: membersIn(members),
      };
    },
    stop: async (replica, about, processId) => {
      const args = [replica, described(replica, about), identity, processId, channelOf(pool)];
      await engine.run("stop", ...args);
    },
    leave: async (replica, mayBeLast) =>
      z.enum(["copy", "last", "left"]).parse(await engine.run("leave", replica, mayBeLast ? 1 : 0)),
    members: async () => membersIn(Texts.parse(await engine.run("members"))),
    generations: async () => {
      const flat = Texts.parse(await engine.run("generations"));
      return new Map(chunks(flat, 2).map(([tag = "", generation]) => [tag, Number(generation)]));
    },
    records: read,
    put: async (fact, over, generation, fence = "") => {
      const sealed = sealer.seal(fact, generation);
      const args = [sealer.tagOf(fact.name), over, generation, sealed, fence, channelOf(pool), identity];
      return z.tuple([z.number(), z.number()]).parse(await engine.run("put", ...args))[0] === 1;
    },
    revive: async (fact, over) => {
      const args = [sealer.tagOf(fact.name), over, sealer.seal(fact, over + 1), channelOf(pool), identity];
      return (
        z
          .number()
          .nullable()
          .parse(await engine.run("revive", ...args)) ?? undefined
      );
    },
    begin: async (name, generation, { replica, processId, leaseMs, takesOver }) => {
      const args = [sealer.tagOf(name), generation, replica, leaseMs, takesOver ? 1 : 0, identity, processId];
      return turnAnswer(Texts.parse(await engine.run("begin", ...args)));
    },
    finish: async (name, fence, deadReason = "") =>
      void (await engine.run("finish", sealer.tagOf(name), fence, deadReason, identity)),
    lease: async (processId, jobs) =>
      z
        .array(z.number())
        .parse(await engine.run("lease", processId, ...jobs.map(leaseTag)))
        .map((given) => given === 1),
    release: async (processId, jobs) => void (await engine.run("release", processId, ...jobs.map(leaseTag))),
    rekey: async (poolId, next) => {
      const tags = chunks(Texts.parse(await engine.run("generations")), 2).map(([tag = ""]) => tag);
      const facts: (string | number)[] = [];
      for (const [tag, { generation, opened }] of await read(tags)) {
        if (opened?.kind === "newer")
          throw refused(
            engine,
            `the pool ${pool} has records from a later version of codexlb, which this one cannot seal again`,
            "upgrade codexlb",
          );
        if (opened?.kind !== "fact")
          throw refused(
            engine,
            `the pool ${pool} has records that its key does not open`,
            "start a replica, which warns about them, and remove them from the server",
          );
        facts.push(tag, next.tagOf(opened.fact.name), generation, next.seal(opened.fact, generation));
      }
      const head = [identity, checkOf(next, poolId), identityOf(next, poolId), channelOf(pool)];
      return z.enum(["done", "changed", "renewing"]).parse(await engine.run("rekey", ...head, ...facts));
    },
  };
}

/** Names the pool together with its key, so that a replica with another key cannot change anything. */
export function identityOf(sealer: Sealer, poolId: string): string {
  return sealer.tagOf(`pool/${poolId}`);
}

// --- internal ---

function checkOf(sealer: Sealer, poolId: string): string {
  return sealer.seal({ name: CHECK, value: poolId }, 0);
}

function isCheck(sealer: Sealer, sealed: string, poolId: string): boolean {
  const opened = sealer.open(sealer.tagOf(CHECK), 0, sealed);
  return opened.kind === "fact" && opened.fact.value === poolId;
}

/** The version of the keys and scripts. */
const SCHEMA = 1;
/** The name under which the id of the pool is sealed. */
const CHECK = "check";
/** Records that one command returns. A record has up to 10 KB. */
const AT_ONCE = 100;

const text = z.string();
const Texts = z.array(text);
const Polled = z.tuple([text, text, text, text, text, text, z.number(), Texts]);
const Meta = z.tuple([z.string().nullable(), z.string().nullable(), z.string().nullable()]);

function turnAnswer([kind, first = "", second = ""]: readonly string[]): TurnAnswer {
  switch (kind) {
    case "duplicate":
    case "changed":
      return { kind };
    case "settling":
      return { kind, ms: Number(first) };
    case "busy":
      return { kind, replica: first };
    case "dead":
      return { kind, reason: first };
    case "yours":
      return { kind, fence: first, lost: second };
    default:
      throw new Error(`the engine answered ${kind}`);
  }
}

function refused({ shown }: Engine, what: string, next: string): CodexlbError {
  return new CodexlbError("cluster_refused", `using ${shown}: ${what}`, { next });
}

function chunks<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, index) =>
    list.slice(index * size, (index + 1) * size),
  );
}
