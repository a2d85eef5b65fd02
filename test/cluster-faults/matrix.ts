// Runs the matrix: every fault in every situation, each in a pool of its own with three replicas and its own engine.

import { createSseClient } from "../../src/mock/client.ts";
import { type Executable, executable } from "../support/executable.ts";
import type { TestRedis } from "../support/redis.ts";
import { type Relay, startRelay } from "../support/relay.ts";
import { type Replica, startReplicas } from "../support/replicas.ts";
import { startTokenDoor, type TokenDoor } from "../support/token-door.ts";
import { answering, type Cell, factCount, looked, sentTokens, viewOf } from "./cell.ts";
import { FAULTS, type Fault } from "./faults.ts";
import { type Begun, SITUATIONS, type Situation } from "./situations.ts";

export interface Outcome {
  readonly fault: Fault;
  readonly situation: Situation;
  /** From the end of the fault, or from its beginning if it is over at once, until nothing shows it any more. */
  readonly recoverySeconds: number;
  /** Refresh tokens that the backend received. */
  readonly sent: readonly string[];
  /** What must not have happened; undefined if all is well. */
  readonly problem: string | undefined;
}

/** Most of the time of a cell is waiting. */
const AT_ONCE = 12;
/** A renewal may last as long as a fault on a busy machine. */
const CONFIG = '[proxy]\nusage_timeout_ms = 300000\n\n[policy]\nmode = "round_robin"\n';

export async function runMatrix(): Promise<Outcome[]> {
  using tool = executable();
  const cases = FAULTS.flatMap((fault) => SITUATIONS.map((situation) => ({ fault, situation })));
  const outcomes: Outcome[] = [];
  const queue = cases.values();
  const work = async () => {
    for (const { fault, situation } of queue) outcomes.push(await run(tool, fault, situation));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return outcomes;
}

// --- internal ---

async function run(tool: Executable, fault: Fault, situation: Situation): Promise<Outcome> {
  const name = `${fault.name}, ${situation.name}`;
  const startedMs = Date.now();
  try {
    const done = await observed(tool, fault, situation);
    console.log(
      `${name}: recovered in ${done.recoverySeconds.toFixed(1)} s, ${(Date.now() - startedMs) / 1000} s in all`,
    );
    return { fault, situation, problem: undefined, ...done };
  } catch (error) {
    return { fault, situation, problem: `${name}: ${error}`, recoverySeconds: 0, sent: [] };
  }
}

async function observed(
  tool: Executable,
  fault: Fault,
  situation: Situation,
): Promise<Pick<Outcome, "recoverySeconds" | "sent">> {
  let door: TokenDoor | undefined;
  await using networks = new AsyncDisposableStack();
  const relays: Relay[] = [];
  const overNetwork = async ({ url }: TestRedis, index: number): Promise<string> => {
    const relay = networks.use(await startRelay(url.slice("unix://".length)));
    relays[index] = relay;
    return `redis://127.0.0.1:${relay.port}`;
  };
  await using pool = await startReplicas({
    tool,
    aliases: situation.aliases,
    strangers: ["dave"],
    config: CONFIG,
    faults: situation.turnMs === undefined ? [] : [{ on: "turn", delayMs: situation.turnMs }],
    env: (index, mock) => {
      door ??= startTokenDoor(mock.tokenUrl);
      return { CODEXLB_TOKEN_URL: door.url, ...(index === 0 ? fault.env : {}) };
    },
    ...(situation.tokenSeconds === undefined ? {} : { tokenSeconds: situation.tokenSeconds }),
    ...(fault.engine === undefined ? {} : { engine: fault.engine }),
    ...(fault.hasNetwork === true ? { engineUrl: overNetwork } : {}),
  });
  using tokenDoor = door!;
  if (situation.tokenSeconds === undefined) tokenDoor.open();
  const cell: Cell = {
    pool,
    relays,
    door: tokenDoor,
    target: pool.list[0]!,
    out: new Set(),
    frozen: undefined,
  };
  try {
    const facts = await factCount(pool);
    const begun = await situation.begin(cell, fault);
    const beganMs = Date.now();
    await fault.begin?.(cell);
    await isNoticed(cell, fault);
    await Promise.all(answering(cell).map(serves));
    await begun.meanwhile();
    if (fault.lastsMs !== undefined) await Bun.sleep(beganMs + fault.lastsMs - Date.now());
    let endedMs = fault.end === undefined ? beganMs : Date.now();
    await fault.end?.(cell);
    if (begun.outlast !== undefined) {
      await begun.outlast();
      endedMs = Date.now();
    }
    await begun.answered();
    await looked("the pool is as it was", () => isRecovered(cell, facts, begun));
    const recoverySeconds = (Date.now() - endedMs) / 1000;
    await begun.finish();
    return { recoverySeconds, sent: sentTokens(pool) };
  } catch (error) {
    throw new Error(`${error}\n${await report(cell)}`);
  } finally {
    if (cell.frozen !== undefined) process.kill(cell.frozen.pid, "SIGCONT");
  }
}

/** A new session gets a turn from this replica. */
async function serves({ url }: Replica): Promise<void> {
  await createSseClient(url, crypto.randomUUID()).turn("hello");
}

/** Waits until the replicas that cannot use the engine have reported it. */
async function isNoticed(cell: Cell, { degrades }: Fault): Promise<void> {
  const affected = degrades === "all" ? cell.pool.list : degrades === "target" ? [cell.target] : [];
  await looked("the replicas report that the engine cannot be used", async () => {
    const views = await Promise.all(affected.map(viewOf));
    return views.every(({ isDegraded }) => isDegraded);
  });
}

/** No replica reports a problem, all have the same, which is what the operators wanted, and each one serves. */
async function isRecovered({ pool }: Cell, facts: number, begun: Begun): Promise<boolean> {
  const views = await Promise.all(pool.list.map(viewOf));
  const isSame = new Set(views.map(({ accounts, keys }) => JSON.stringify([accounts, keys]))).size === 1;
  const isWell = views.every(({ isDegraded, pending }) => !isDegraded && pending === 0);
  const isSettled = views.every((view, index) => begun.isSettled(view, pool.list[index]!));
  if (!isSame || !isWell || !isSettled || (await factCount(pool)) < facts) return false;
  await Promise.all(pool.list.map(serves));
  return true;
}

/** What the replicas see, for the message of a failure. */
async function report({ pool }: Cell): Promise<string> {
  const views = await Promise.allSettled(pool.list.map(viewOf));
  const words = views.map((view) =>
    JSON.stringify(view.status === "fulfilled" ? view.value : `${view.reason}`),
  );
  const facts = await factCount(pool);
  return [...words, `${facts} facts`, ...sentTokens(pool).map((token) => `sent ${token}`)].join("\n");
}
