// `codexlb cluster status`: the server, the pool, its replicas, and this replica.

import { defineCommand } from "citty";
import { z } from "zod";
import { daemonAt } from "../../admin/daemon.ts";
import { answered, through } from "../../admin/door.ts";
import { openReplicaFile } from "../../cluster/replica-file.ts";
import { SEEN_MS } from "../../core/cluster-words.ts";
import { durationText } from "../../core/duration-text.ts";
import { ago } from "../../core/time-words.ts";
import { print, printJson } from "../../print.ts";
import { ROOT_FLAG } from "../common-flags.ts";
import { type CommandContext, contextOf, requireRoot } from "../context.ts";
import { table } from "../terminal/table.ts";
import { waitingFor } from "../terminal/terminal.ts";
import { connectPool } from "./open-pool.ts";
import { contentOf, contentWords } from "./pool-content.ts";

export default defineCommand({
  meta: {
    name: "codexlb cluster status",
    description: "Show the pool, its replicas, and whether this one is up to date",
  },
  args: { ...ROOT_FLAG, json: { type: "boolean", description: "Print JSON" } },
  run: async ({ args }) => {
    const context = contextOf(args.root);
    requireRoot(context);
    const { deps, layout } = context;
    const file = openReplicaFile(layout.cluster);
    const here = await runningReplica(context);
    using pool = await waitingFor("connecting to the server of the cluster", connectPool(context));
    const exists = (await pool.records.find()) !== undefined;
    const content = await contentOf(pool);
    const members = await pool.records.members();
    if (args.json)
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
    const nowMs = deps.clock.now();
    print(`server   ${pool.engine} (${pool.info.product})\n`);
    print(`pool     ${pool.pool}: ${exists ? contentWords(content) : "does not exist"}\n`);
    print(`replica  ${file === undefined ? "this root has not joined" : hereWords(file, here, nowMs)}\n`);
    if (members.length === 0) return;
    const rows = members.map(({ id, about, agoMs }) => [
      id,
      about.name,
      about.version,
      agoMs < SEEN_MS ? "connected" : ago(nowMs - agoMs, nowMs),
    ]);
    print(`\n${table([["REPLICA", "NAME", "VERSION", "SEEN"], ...rows])}`);
  },
});

// --- internal ---

const ReplicaAnswer = z.object({
  cluster: z
    .object({
      pending: z.number(),
      degraded_since_ms: z.number().optional(),
      error: z.string().optional(),
    })
    .nullable(),
});
type RunningReplica = NonNullable<z.output<typeof ReplicaAnswer>["cluster"]>;

/** The state of the proxy that runs on the root; undefined if none runs, or if it works alone. */
async function runningReplica({ layout }: CommandContext): Promise<RunningReplica | undefined> {
  const daemon = await daemonAt(layout.adminSocket);
  if (daemon.kind !== "answers") return undefined;
  const { door } = daemon;
  const answer = await answered(door, ReplicaAnswer, through(door)(`${door.url}/admin/cluster`));
  return answer.cluster ?? undefined;
}

function hereWords(
  file: { readonly replica: string; pending(): readonly string[] },
  here: RunningReplica | undefined,
  nowMs: number,
): string {
  const count = here?.pending ?? file.pending().length;
  const pending = count === 0 ? "" : `, ${count} change${count === 1 ? "" : "s"} to send`;
  if (here === undefined) return `${file.replica}, its proxy is not running${pending}`;
  const since = here.degraded_since_ms;
  if (since === undefined) return `${file.replica}, up to date${pending}`;
  return `${file.replica}, without the server for ${durationText(Math.round((nowMs - since) / 1000))}${pending}: ${here.error}`;
}
