// `codexlb cluster status`: the server, the pool, its replicas, and this replica.

import { defineCommand } from "citty";
import { daemonAt } from "../../admin/daemon.ts";
import { openReplicaFile, type ReplicaFile } from "../../cluster/replica-file.ts";
import { absentWords, degradedState, MISSED_MS, shownName } from "../../core/cluster-words.ts";
import { durationText } from "../../core/duration-text.ts";
import { ago } from "../../core/time-words.ts";
import { messageOf } from "../../errors.ts";
import { shownEngine } from "../../network/engine-url.ts";
import { print, printJson } from "../../print.ts";
import { ROOT_FLAG } from "../common-flags.ts";
import { type CommandContext, contextOf, requireRoot } from "../context.ts";
import { table } from "../terminal/table.ts";
import { waitingFor } from "../terminal/terminal.ts";
import { clusterSettings, connectPool } from "./open-pool.ts";
import { contentOf, contentWords } from "./pool-content.ts";
import { type RunningReplica, replicaBehind } from "./running-replica.ts";

export default defineCommand({
  meta: {
    name: "codexlb cluster status",
    description: "Show the pool, its replicas, and whether this one is up to date",
  },
  args: { ...ROOT_FLAG, json: { type: "boolean", description: "Print JSON" } },
  run: async ({ args }) => {
    const context = contextOf(args.root);
    requireRoot(context);
    const file = openReplicaFile(context.layout.cluster);
    const here = await runningReplica(context);
    try {
      await printPool(context, { file, here, json: args.json });
    } catch (error) {
      // The replica knows since when it is without the server, and what it still has to send.
      if (file !== undefined) printWithoutServer(context, { file, here, json: args.json }, error);
      throw error;
    }
  },
});

// --- internal ---

/** What is known without the server. */
interface OwnState {
  readonly file: ReplicaFile | undefined;
  /** The proxy that runs on the root; undefined if none does. */
  readonly here: RunningReplica | undefined;
  readonly json: boolean | undefined;
}

async function printPool(context: CommandContext, { file, here, json }: OwnState): Promise<void> {
  using pool = await waitingFor("connecting to the server of the cluster", connectPool(context));
  const exists = (await pool.records.find()) !== undefined;
  const content = await contentOf(pool);
  const members = await pool.records.members();
  // A script that asks whether the replica is up to date gets the same answer as without the server.
  if (here?.degraded_since_ms !== undefined) process.exitCode = 1;
  if (json)
    return printJson(
      {
        pool: pool.pool,
        exists,
        engine: pool.engine,
        product: pool.info.product,
        ...content,
        replica: file?.replica ?? null,
        pending: file?.pending().length ?? 0,
        proxy: here ?? null,
        replicas: members.map(({ id, about, agoMs }) => ({ id, ...about, seen_ms_ago: agoMs })),
      },
      2,
    );
  const nowMs = context.deps.clock.now();
  print(`server   ${pool.engine} (${pool.info.product})\n`);
  print(`pool     ${pool.pool}: ${exists ? contentWords(content) : "does not exist"}\n`);
  print(`replica  ${file === undefined ? "this root has not joined" : hereWords(file, here, nowMs)}\n`);
  if (members.length === 0) return;
  // The server may have heard of this replica from another process.
  const degraded = here && degradedState(here, nowMs);
  const rows = members.map(({ id, about, agoMs }) => {
    const isHeard = agoMs < MISSED_MS && about.stopped !== true;
    const seen = isHeard ? "connected" : absentWords(about.stopped, ago(nowMs - agoMs, nowMs));
    const state = id === file?.replica ? (degraded ?? seen) : seen;
    return [id, shownName(about.name), about.version, state];
  });
  print(`\n${table([["REPLICA", "NAME", "VERSION", "STATE"], ...rows])}`);
}

/** Prints what the root of a replica and its proxy know. `error`: why the server or the pool cannot be read. */
function printWithoutServer(
  context: CommandContext,
  { file, here, json }: OwnState & { readonly file: ReplicaFile },
  error: unknown,
): void {
  const { url, pool } = clusterSettings(context);
  const engine = shownEngine(url);
  if (json)
    return printJson(
      {
        pool,
        engine,
        error: messageOf(error),
        replica: file.replica,
        pending: file.pending().length,
        proxy: here ?? null,
      },
      2,
    );
  print(`server   ${engine}\n`);
  print(`pool     ${pool}: cannot be read\n`);
  print(`replica  ${hereWords(file, here, context.deps.clock.now())}\n`);
}

/** The state of the proxy that runs on the root; undefined if none runs, or if it works alone. */
async function runningReplica({ layout }: CommandContext): Promise<RunningReplica | undefined> {
  const daemon = await daemonAt(layout.adminSocket);
  return daemon.kind === "answers" ? replicaBehind(daemon.door) : undefined;
}

function hereWords(
  file: Pick<ReplicaFile, "replica" | "pending">,
  here: RunningReplica | undefined,
  nowMs: number,
): string {
  const count = here?.pending ?? file.pending().length;
  const pending = count === 0 ? "" : `, ${count} change${count === 1 ? "" : "s"} to send`;
  if (here === undefined) return `${file.replica}, its proxy is not running${pending}`;
  const since = here.degraded_since_ms;
  if (since === undefined) return `${file.replica}, up to date${pending}`;
  return `${file.replica}, degraded for ${durationText(Math.round((nowMs - since) / 1000))}${pending}: ${here.error}`;
}
