// `codexlb demo`: the main job before your eyes, with simulated accounts: this program's own mock, proxy, account
// and status commands as separate processes in a temporary directory, and a small client in the place of Codex.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineCommand } from "citty";
import { createConsola } from "consola";
import { CodexlbError } from "../../errors.ts";
import { createSocketClient, createSseClient, type TurnClient } from "../../mock/client.ts";
import type { FaultInput } from "../../mock/faults.ts";
import { selfCommand } from "../self.ts";

const say = createConsola({ stdout: process.stdout, stderr: process.stdout });

export default defineCommand({
  meta: {
    name: "codexlb demo",
    description: "Show a failover with simulated accounts; touches nothing of yours",
  },
  run: async () => {
    const directory = mkdtempSync(join(tmpdir(), "codexlb-demo-"));
    const children: Child[] = [];
    try {
      await show(directory, children);
    } finally {
      for (const child of children.reverse()) await child.stop();
      rmSync(directory, { recursive: true, force: true });
    }
  },
});

// --- internal ---

const ACCOUNTS = ["alice", "bob", "carol"] as const;

async function show(directory: string, children: Child[]): Promise<void> {
  const root = join(directory, "root");
  const homes = join(directory, "homes");
  const env = { CODEXLB_ROOT: root, HOME: directory };

  say.start(
    "A simulated backend with three accounts; alice and bob will meet their limits inside their third turn",
  );
  const faults = join(directory, "faults.json");
  writeFileSync(faults, JSON.stringify([limitInTurn("sse", "alice"), limitInTurn("message", "bob")]));
  const mock = await startChild(
    ["mock", "--port", "0", "--accounts", ACCOUNTS.join(","), "--homes", homes, "--faults", faults],
    env,
  );
  children.push(mock);
  const backend = /on (http:\/\/\S+)/.exec(mock.firstLine)?.[1] ?? "";
  const tokenUrl = `${new URL(backend).origin}/oauth/token`;

  say.start("Enrol the three accounts");
  for (const alias of ACCOUNTS)
    process.stdout.write(await command(["account", "import", "--from", join(homes, alias), alias], env));

  say.start("Start the proxy");
  const proxy = await startChild(["proxy", "--listen", "127.0.0.1:0", "--upstream", backend], {
    ...env,
    CODEXLB_TOKEN_URL: tokenUrl,
  });
  children.push(proxy);
  process.stdout.write(`${proxy.firstLine}\n`);
  const url = /listening on (http:\/\/\S+)/.exec(proxy.firstLine)?.[1] ?? "";

  say.start("One session over HTTP: the third turn begins on alice, meets her limit, and bob completes it");
  await command(["account", "pin", "alice"], env);
  await turns(createSseClient(url, "demo-http"), ["alice", "alice", "bob"]);

  say.start("Another one over WebSocket: the third turn begins on bob, and carol completes it");
  await command(["account", "pin", "bob"], env);
  const socket = createSocketClient(url, "demo-websocket");
  await turns(socket, ["bob", "bob", "carol"]);
  socket.close();

  say.start("codexlb status");
  process.stdout.write(await command(["status", "--proxy-url", url], env));
  say.success(
    "Six turns, two limits, and the client saw no error. Start with your own: codexlb account import, codexlb proxy, codexlb run",
  );
}

/** The account's third turn begins well and then says that the limit is reached. */
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

async function turns(client: TurnClient, expected: readonly string[]): Promise<void> {
  for (const [index, name] of expected.entries()) {
    const text = await client.turn(`turn ${index + 1}`);
    process.stdout.write(`  turn ${index + 1}: ${text}\n`);
    if (text !== `Hello from ${name}`)
      throw new CodexlbError(
        "internal",
        `the demonstration went wrong: expected ${name}, got ${JSON.stringify(text)}`,
      );
  }
}

interface Child {
  readonly firstLine: string;
  stop(): Promise<void>;
}

async function startChild(args: readonly string[], env: Record<string, string>): Promise<Child> {
  const child = Bun.spawn([...selfCommand(), ...args], {
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  let text = "";
  while (!text.includes("\n")) {
    const { done, value } = await reader.read();
    if (done)
      throw new CodexlbError("internal", `starting codexlb ${args[0]} failed: ${text || "it said nothing"}`);
    text += decoder.decode(value, { stream: true });
  }
  return {
    firstLine: text.split("\n")[0] ?? "",
    stop: async () => {
      child.kill("SIGTERM");
      await child.exited;
    },
  };
}

async function command(args: readonly string[], env: Record<string, string>): Promise<string> {
  const child = Bun.spawn([...selfCommand(), ...args], {
    env: { ...process.env, ...env, COLUMNS: "" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, error, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (code !== 0) throw new CodexlbError("internal", `codexlb ${args.join(" ")} failed: ${error.trim()}`);
  return out;
}
