// Runs in a network namespace: a front with two children, each behind a link of its own. One link is cut in the middle
// of a turn. Arguments: a directory, and for each child its namespace and its address. Prints the observations as JSON.

import { join } from "node:path";
import { StatusAnswer } from "../../../src/core/status-schema.ts";
import { makePrivateDirectory, writeFileAtomic } from "../../../src/state/atomic-file.ts";
import { layoutOf } from "../../../src/state/layout.ts";
import { until } from "../../support/pool.ts";

const MAIN = join(import.meta.dir, "..", "..", "..", "src", "main.ts");
const BACKEND = "http://127.0.0.1:9100";
const [directory = "", east = "", eastAddress = "", west = "", westAddress = ""] = process.argv.slice(2);
const env = { PATH: process.env.PATH ?? "", HOME: directory, CODEXLB_TOKEN_URL: `${BACKEND}/oauth/token` };
const running: Bun.Subprocess[] = [];

/** The first words of the command line of a process in `namespace` (undefined: this one). */
const inside = (namespace: string | undefined) =>
  namespace === undefined ? [] : ["ip", "netns", "exec", namespace];

/** Starts the program; resolves with its first line. */
async function start(args: readonly string[], namespace?: string): Promise<string> {
  const argv = [...inside(namespace), process.execPath, MAIN, ...args];
  const child = Bun.spawn(argv, { env, stdin: "ignore", stdout: "pipe", stderr: "inherit" });
  running.push(child);
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of child.stdout) {
    text += decoder.decode(chunk, { stream: true });
    if (text.includes("\n")) break;
  }
  return text;
}

function run(argv: readonly string[]): void {
  const ran = Bun.spawnSync([...argv], { env, stdout: "ignore", stderr: "pipe" });
  if (ran.exitCode !== 0) throw new Error(`${argv.join(" ")}: ${ran.stderr}`);
}

async function startChild(alias: string, namespace: string): Promise<void> {
  const homes = join(directory, `logins-${alias}`);
  await start(["mock", "--port", "9100", "--accounts", alias, "--homes", homes], namespace);
  const { root, config } = layoutOf(join(directory, alias));
  makePrivateDirectory(root);
  writeFileAtomic(
    config,
    `[proxy]\nname = "${alias}"\nupstream_base_url = "${BACKEND}/backend-api"\nallow_unauthenticated = true\n`,
  );
  run([process.execPath, MAIN, "account", "import", "--root", root, "--from", join(homes, alias), alias]);
  await start(["proxy", "--root", root, "--listen", "0.0.0.0:8765"], namespace);
}

async function scenario(): Promise<Record<string, unknown>> {
  await startChild("alice", east);
  await startChild("bob", west);
  const { root, config } = layoutOf(join(directory, "front"));
  makePrivateDirectory(root);
  const urls = [eastAddress, westAddress].map((address) => `http://${address}:8765`);
  writeFileAtomic(
    config,
    `[proxy]\nname = "front"\nchild_proxy_urls = ${JSON.stringify(urls)}\n[policy]\nmode = "sticky"\n`,
  );
  const line = await start(["proxy", "--root", root, "--listen", "127.0.0.1:0"]);
  const url = /on (http:\S+)/.exec(line)?.[1] ?? "";
  const isReachable = async (name: string) => {
    const { child_proxies } = StatusAnswer.parse(await (await fetch(`${url}/status`)).json());
    return child_proxies.some((child) => child.name === name && child.reachable);
  };
  await until("both are heard of", async () => (await isReachable("alice")) && isReachable("bob"), 20_000);

  const post = (session: string) =>
    fetch(`${url}/backend-api/codex/responses`, {
      method: "POST",
      headers: { "content-type": "application/json", "session-id": session },
      body: JSON.stringify({ model: "m", stream: true, store: false, input: [] }),
    });
  const servedBy = async (answer: Response) => /"text":"Hello from (\w+)/.exec(await answer.text())?.[1];
  const first = await servedBy(await post("s"));

  // The next response stops after its beginning, and the link is cut before the end.
  const fault = JSON.stringify({ on: "turn", gateAfter: 3 });
  const script = `await fetch("${BACKEND}/__mock/faults", { method: "POST", body: ${JSON.stringify(fault)} })`;
  run([...inside(east), process.execPath, "-e", script]);
  const reader = (await post("s")).body?.getReader();
  await reader?.read();
  run(["ip", "-n", east, "link", "set", "eth0", "down"]);
  const cut = await (async () => {
    while ((await reader?.read())?.done === false);
    return "a clean end";
  })().catch(() => "cut");
  // Like Codex, send the same turn again immediately.
  const resent = await servedBy(await post("s"));
  await until("it counts as lost", async () => !(await isReachable("alice")), 30_000);

  run(["ip", "-n", east, "link", "set", "eth0", "up"]);
  await until("it is heard of again", () => isReachable("alice"), 40_000);
  return { first, cut, resent, afterwards: await servedBy(await post("new")) };
}

try {
  console.log(JSON.stringify(await scenario()));
} finally {
  for (const child of running) child.kill("SIGKILL");
  await Promise.all(running.map((child) => child.exited));
}
