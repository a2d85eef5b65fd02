// `codexlb demo`: shows failovers with simulated accounts. The mock, proxy, account and status commands of this program
// run as separate processes in a temporary directory, with a small client in place of Codex.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { defineCommand } from "citty";
import { runningProxy } from "../../admin/daemon.ts";
import { advised } from "../../advice.ts";
import { REPORT_BUG } from "../../core/project-pages.ts";
import { CodexlbError } from "../../errors.ts";
import { createSocketClient, createSseClient, type TurnClient } from "../../mock/client.ts";
import type { FaultInput } from "../../mock/faults.ts";
import { print, printMessage } from "../../print.ts";
import { layoutOf } from "../../state/layout.ts";
import { selfCommand } from "../self.ts";
import { markedMessages } from "../terminal/marked-messages.ts";

const say = markedMessages(process.stdout);

export default defineCommand({
  meta: {
    name: "codexlb demo",
    description: "Show a failover with simulated accounts, without touching your own",
  },
  run: async () => {
    const directory = mkdtempSync(join(tmpdir(), "codexlb-demo-"));
    const children: Subprocess[] = [];
    // A closed pipe and signals exit immediately, so the cleanup is in an exit handler.
    process.on("exit", () => {
      for (const child of children) child.kill("SIGKILL");
      // The kernel finishes what it is doing for them in this time.
      Bun.sleepSync(DYING_MS);
      rmSync(directory, { recursive: true, force: true });
    });
    for (const signal of SIGNALS) process.on(signal, () => process.exit(128 + constants.signals[signal]));
    try {
      await show(directory, children);
    } finally {
      for (const child of children.toReversed()) {
        child.kill("SIGTERM");
        await child.exited;
      }
    }
  },
});

// --- internal ---

const DYING_MS = 50;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const ACCOUNTS = ["alice", "bob", "carol"] as const;

async function show(directory: string, children: Subprocess[]): Promise<void> {
  const root = join(directory, "root");
  const homes = join(directory, "homes");
  // The demonstration has its own accounts, so it joins no pool.
  const stage = { env: { CODEXLB_ROOT: root, CODEXLB_CLUSTER_URL: "", HOME: directory }, children };

  say.start(
    "Start a simulated backend with three accounts; alice and bob reach their limits during their third turn",
  );
  const faults = join(directory, "faults.json");
  writeFileSync(faults, JSON.stringify([limitInTurn("sse", "alice"), limitInTurn("message", "bob")]));
  const mock = await startChild(
    ["mock", "--port", "0", "--accounts", ACCOUNTS.join(","), "--homes", homes, "--faults", faults],
    stage,
  );
  const backend = /on (http:\/\/\S+)/.exec(mock)?.[1] ?? "";
  const tokenUrl = `${new URL(backend).origin}/oauth/token`;

  say.start("Enrol the three accounts");
  for (const alias of ACCOUNTS)
    print(await command(["account", "import", "--from", join(homes, alias), alias], stage));

  say.start("Start the proxy");
  const proxy = await startChild(["proxy", "--listen", "127.0.0.1:0", "--upstream", backend], {
    ...stage,
    env: { ...stage.env, CODEXLB_TOKEN_URL: tokenUrl },
  });
  printMessage(proxy);
  const url = (await runningProxy(layoutOf(root).adminSocket))?.url ?? "";

  say.start(
    "Run a session over HTTP: the third turn starts on alice, reaches her limit, and bob completes it",
  );
  await command(["account", "pin", "alice"], stage);
  await turns(createSseClient(url, "demo-http"), ["alice", "alice", "bob"]);

  say.start(
    "Run a session over WebSocket: the third turn starts on bob, reaches his limit, and carol completes it",
  );
  await command(["account", "pin", "bob"], stage);
  const socket = createSocketClient(url, "demo-websocket");
  await turns(socket, ["bob", "bob", "carol"]);
  socket.close();

  say.start("Show the accounts: codexlb status");
  await showStatus(url, stage);
  say.success(
    `Six turns, two limits, and the client saw no error. To use your own accounts: ${advised("init")}`,
  );
}

/** A fault: the account's third turn starts normally, and then reports the usage limit. */
function limitInTurn(on: "sse" | "message", account: string): FaultInput {
  const resetsAt = Math.floor(Date.now() / 1000) + 2 * 3_600;
  const error = {
    type: "usage_limit_reached",
    message: "The usage limit has been reached",
    resets_at: resetsAt,
  };
  const events = [
    { type: "response.created", response: { id: "resp_limited" } },
    { type: "error", status: 429, error },
  ];
  return { on, account, skip: 2, events };
}

const REPORT = `run it again; if it fails again, ${REPORT_BUG}, with this output`;

async function turns(client: TurnClient, expected: readonly string[]): Promise<void> {
  for (const [index, name] of expected.entries()) {
    const text = await client.turn(`turn ${index + 1}`);
    print(`  turn ${index + 1}: ${text}\n`);
    if (text !== `Hello from ${name}`)
      throw new CodexlbError(
        "internal",
        `the demonstration failed: expected ${name}, got ${JSON.stringify(text)}`,
        { next: REPORT },
      );
  }
}

/** The environment of the processes of the demonstration, and the processes. */
interface Stage {
  readonly env: Readonly<Record<string, string>>;
  /** The running processes. */
  readonly children: Subprocess[];
}

/** Starts a command. Resolves to its first line of output. */
async function startChild(args: readonly string[], stage: Stage): Promise<string> {
  const child = spawn(args, stage);
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  let text = "";
  while (!text.includes("\n")) {
    const { done, value } = await reader.read();
    if (done)
      throw new CodexlbError(
        "internal",
        `starting codexlb ${args[0]} failed: ${text || (await child.stderr.text())}`,
        { next: REPORT },
      );
    text += decoder.decode(value, { stream: true });
  }
  return text.split("\n")[0] ?? "";
}

async function command(args: readonly string[], stage: Stage): Promise<string> {
  const child = spawn(args, stage);
  const [out, error, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (code !== 0)
    throw new CodexlbError("internal", `codexlb ${args.join(" ")} failed: ${error.trim()}`, { next: REPORT });
  return out;
}

/** Prints the status: on a terminal as the command itself shows it there, elsewhere as the table for scripts. */
async function showStatus(url: string, stage: Stage): Promise<void> {
  const args = ["status", "--proxy-url", url];
  if (process.stdout.isTTY !== true) return print(await command(args, stage));
  const child = Bun.spawn([...selfCommand(), ...args], {
    env: { ...process.env, ...stage.env },
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
  });
  stage.children.push(child);
  if ((await child.exited) !== 0)
    throw new CodexlbError("internal", "showing the status failed", { next: REPORT });
}

function spawn(args: readonly string[], { env, children }: Stage) {
  const child = Bun.spawn([...selfCommand(), ...args], {
    env: { ...process.env, ...env, COLUMNS: "" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  children.push(child);
  return child;
}
