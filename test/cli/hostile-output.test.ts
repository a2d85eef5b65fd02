// Another proxy, a backend and files contain text that would control the terminal. Every command prints it as plain
// text.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { table } from "../../src/cli/terminal/table.ts";
import { layoutOf } from "../../src/state/layout.ts";
import { runCli } from "../support/cli.ts";
import { hostile, unprintableIn } from "../support/hostile-text.ts";
import { startPool } from "../support/pool.ts";
import { type TempDirectory, tempDirectory } from "../support/temp.ts";

const MAIN = join(import.meta.dir, "..", "..", "src", "main.ts");
/** The start of each hostile text. How much of the text is shown depends on the command. */
const SHOWN = "evil";
/** Keys whose values the reader compares, so that it would refuse a document with other values. */
const COMPARED = new Set(["kind", "role", "service"]);

/** `value` with hostile text in place of every text. */
function poisoned(value: unknown, key = ""): unknown {
  if (typeof value === "string") return COMPARED.has(key) ? value : `${hostile(SHOWN)}${value}`;
  if (Array.isArray(value)) return value.map((entry) => poisoned(entry, key));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, poisoned(entry, name)]));
}

interface HostileProxy extends Disposable {
  readonly url: string;
}

/** Answers like a proxy, with every text poisoned. */
async function startHostileProxy(): Promise<HostileProxy> {
  const answers = await realAnswers();
  const login = [
    { output: `${hostile(SHOWN)}\u001b[` },
    { output: "31mred\u001b[0m\r\n" },
    { exit_code: 0, message: hostile("registered") },
  ];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    development: false,
    fetch: (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/") return Response.json({ service: "codexlb-proxy" });
      if (pathname === "/healthz") return new Response("ok");
      if (pathname === "/logs")
        return new Response(`${JSON.stringify(poisoned({ ts: "t", event: "e", fields: { error: "x" } }))}\n`);
      if (pathname === "/admin/account/login")
        return new Response(login.map((line) => `${JSON.stringify(line)}\n`).join(""), {
          headers: { "content-type": "application/x-ndjson" },
        });
      const answer = answers.get(pathname);
      if (answer !== undefined) return Response.json(answer);
      if (pathname === "/admin/account/pin")
        return Response.json(poisoned({ error: "e", code: "c", message: "m", next: "n" }), { status: 409 });
      if (pathname === "/admin/account/unpin")
        return Response.json(poisoned({ error: { code: "c", message: "m" } }), { status: 400 });
      return new Response(hostile(SHOWN), { status: 500 });
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, [Symbol.dispose]: () => void server.stop(true) };
}

/** The poisoned answers of a real proxy, with a child and an additional limit. */
async function realAnswers(): Promise<Map<string, unknown>> {
  await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
  const ask = async (path: string): Promise<Record<string, unknown>> =>
    (await (await fetch(`http://localhost${path}`, { unix: pool.layout.adminSocket })).json()) as Record<
      string,
      unknown
    >;
  const status = await ask("/status");
  const limit = {
    limit_id: "id",
    limit_name: "name",
    primary_left_pct: 10,
    primary_reset_at: 0,
    secondary_left_pct: 20,
    secondary_reset_at: 0,
  };
  const child = {
    name: "child",
    url: "http://child",
    active: true,
    healthy: false,
    reachable: false,
    cooldown_seconds: 0,
    score: 0,
    selected_target: "target",
    selection_reason: "why",
    last_error: "error",
    next: "next",
  };
  const [first, ...others] = status.accounts as Record<string, unknown>[];
  const document = {
    ...status,
    selected_proxy_name: "below",
    accounts: [
      { ...first, disabled_reason: "why", cooldown_reason: "why", additional_limits: [limit] },
      ...others,
    ],
    additional_limits: [limit],
    child_proxies: [{ ...child, child_proxies: [child] }],
  };
  const explained = await ask("/admin/explain");
  const [account] = explained.accounts as Record<string, unknown>[];
  const capped = { ...account, capped_by: { limit: "limit", share: 0.5 } };
  const shown = await ask("/admin/account/show?alias=alice");
  return new Map<string, unknown>([
    ["/status", poisoned(document)],
    ["/admin/accounts", poisoned(await ask("/admin/accounts"))],
    [
      "/admin/account/show",
      poisoned({ ...shown, sessions: { count: 3, latest: ["session"] }, status: document.accounts[0] }),
    ],
    [
      "/admin/explain",
      poisoned({ ...explained, session: "s", bound_to: "b", pinned: "p", accounts: [capped] }),
    ],
  ]);
}

/** The bytes of a terminal without the colours and sequences of codexlb, and without the line that doctor erases. */
function withoutOurs(bytes: string): string {
  return bytes
    .replaceAll(OURS, "")
    .replaceAll(/\r+\n/g, "\n")
    .replaceAll(/\r+ +\r/g, "");
}

const ESC = "\u001b";
const OURS = new RegExp(`${ESC}\\[(?:[0-9]{1,2}m|H|K|J|\\?(?:1049|25|7|2026)[hl])`, "g");

let temp: TempDirectory;
let proxy: HostileProxy;
beforeAll(async () => {
  temp = tempDirectory();
  proxy = await startHostileProxy();
});
afterAll(() => {
  proxy[Symbol.dispose]();
  temp[Symbol.dispose]();
});

const run = (args: readonly string[], columns: number | undefined) =>
  runCli(args, {
    compiled: true,
    cwd: temp.path,
    env: { CODEXLB_ROOT: join(temp.path, "none"), CODEXLB_ADMIN_TOKEN: "t" },
    ...(columns === undefined ? {} : { terminal: columns }),
  });

const COMMANDS = [
  "status",
  "status --short",
  "status --json",
  "account list",
  "account list --json",
  "account list --tree",
  "account list --tree --json",
  "account show alice",
  "account show --json alice",
  "account pin alice",
  "account unpin",
  "account rm alice",
  "account login work",
  "explain",
  "explain --json",
  "proxy logs",
  "doctor",
];

describe.each([40, 400])("on a terminal of %d columns", (columns) => {
  test.each(COMMANDS)(
    "%s prints another proxy's text without letting it control the terminal",
    async (words) => {
      const [command = [], flags = []] = splitAt(words.split(" "));
      const ran = await run([...command, "--proxy-url", proxy.url, ...flags], columns);
      expect(ran.out).toContain(SHOWN);
      expect(unprintableIn(withoutOurs(ran.out), "\n\t")).toEqual([]);
    },
  );
});

test.each(COMMANDS)("in a pipe: %s", async (words) => {
  const [command = [], flags = []] = splitAt(words.split(" "));
  const ran = await run([...command, "--proxy-url", proxy.url, ...flags], undefined);
  expect(ran.out + ran.err).toContain(SHOWN);
  expect(unprintableIn(ran.out + ran.err, "\n\t")).toEqual([]);
});

test("JSON output contains another proxy's text unchanged", async () => {
  const ran = await run(["status", "--json", "--proxy-url", proxy.url], undefined);
  expect(JSON.parse(ran.out)).toEqual(await (await fetch(`${proxy.url}/status`)).json());
});

test("a long text is cut in a table", () => {
  const shown = table([["NAME"], ["x".repeat(100_000)], ["y"]]);
  expect(Math.max(...shown.split("\n").map((line) => line.length))).toBeLessThan(500);
});

test("status --watch shows it as plain text, too", async () => {
  let bytes = "";
  const shown = Promise.withResolvers<void>();
  const decoder = new TextDecoder();
  const terminal = new Bun.Terminal({
    cols: 100,
    rows: 30,
    data: (_terminal, data) => {
      bytes += decoder.decode(data, { stream: true });
      if (bytes.includes("pool")) shown.resolve();
    },
  });
  const child = Bun.spawn([process.execPath, MAIN, "status", "--watch", "--proxy-url", proxy.url], {
    cwd: temp.path,
    env: { PATH: process.env.PATH, HOME: temp.path, TERM: "xterm-256color" },
    terminal,
  });
  await shown.promise;
  terminal.write("q");
  expect(await child.exited).toBe(0);
  terminal.close();
  expect(bytes).toContain(SHOWN);
  expect(unprintableIn(withoutOurs(bytes), "\n")).toEqual([]);
});

describe("text from a backend", () => {
  const usage = {
    plan_type: hostile(SHOWN),
    rate_limit: { allowed: true, limit_reached: false, primary_window: window(40), secondary_window: null },
    additional_rate_limits: [
      {
        limit_name: hostile("LIMIT"),
        metered_feature: hostile("feature"),
        rate_limit: { primary_window: window(30) },
      },
    ],
  };

  function window(used: number) {
    return {
      used_percent: used,
      limit_window_seconds: 18_000,
      reset_after_seconds: 9_000,
      reset_at: Math.floor(Date.now() / 1000) + 9_000,
    };
  }

  test("in limits and plans is shown as plain text by every command", async () => {
    const backend = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      development: false,
      fetch: () => Response.json(usage),
    });
    await using pool = await startPool({
      accounts: [{ alias: "alice" }],
      upstream: `http://127.0.0.1:${backend.port}/backend-api`,
    });
    const env = {
      CODEXLB_ROOT: pool.layout.root,
      CODEXLB_PROXY_URL: pool.url,
      CODEXLB_ADMIN_TOKEN: pool.adminToken,
    };
    const show = () =>
      runCli(["account", "show", "alice"], { compiled: true, cwd: temp.path, env, terminal: 300 });
    while (!(await show()).out.includes(SHOWN));
    for (const words of [
      "status",
      "status --json",
      "account list --json",
      "account show alice",
      "explain",
      "proxy logs --all",
    ]) {
      const { out } = await runCli(words.split(" "), { compiled: true, cwd: temp.path, env, terminal: 300 });
      expect(out).toContain("alice");
      expect([words, unprintableIn(withoutOurs(out), "\n\t")]).toEqual([words, []]);
    }
    await backend.stop(true);
  });
});

test("the event log of a root without a proxy is shown as plain text", async () => {
  const layout = layoutOf(join(temp.path, "logs-only"));
  mkdirSync(layout.logs, { recursive: true });
  writeFileSync(layout.events, `{"ts":"t","event":"${hostile(SHOWN).replaceAll("\n", "")}"}\n`);
  const { out } = await runCli(["proxy", "logs", "--root", layout.root], {
    compiled: true,
    cwd: temp.path,
    terminal: 300,
  });
  expect(out).toContain(SHOWN);
  expect(unprintableIn(withoutOurs(out), "\n\t")).toEqual([]);
});

/** The words of a command, and its arguments after the flags. */
function splitAt(words: readonly string[]): [string[], string[]] {
  const two = ["account", "proxy"].includes(words[0] ?? "") ? 2 : 1;
  return [words.slice(0, two), words.slice(two)];
}
