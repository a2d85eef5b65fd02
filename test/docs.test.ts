// Checks that the documentation describes the current program.

import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { performancePage } from "../scripts/bench/page.ts";
import { configurationPage } from "../scripts/configuration-page.ts";
import { metricsPage } from "../scripts/metrics-page.ts";
import { policiesPage } from "../scripts/policies-page.ts";
import { quickRoutes } from "../src/admin/app.ts";
import { LOGIN_FORMATS } from "../src/auth/import/formats.ts";
import { runCli } from "./support/cli.ts";
import { startPool } from "./support/pool.ts";
import { tempDirectory } from "./support/temp.ts";

const ROOT = join(import.meta.dir, "..");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

test("docs/configuration.md is generated from the settings (run make docs)", () => {
  expect(read("docs/configuration.md")).toBe(configurationPage());
});

test("docs/policies.md is generated from the simulation (run make docs)", () => {
  expect(read("docs/policies.md")).toBe(policiesPage());
});

test("docs/metrics.md lists every metric (run make docs)", () => {
  const page = read("docs/metrics.md");
  expect(page).toBe(metricsPage(page));
});

test("docs/performance.md is generated from the published result (run make docs)", () => {
  const page = read("docs/performance.md");
  expect(page).toBe(performancePage(page, undefined));
});

test("docs/admin-api.md names every endpoint that exists, and no other", async () => {
  const named = [...read("docs/admin-api.md").matchAll(/^\| `(GET|POST) (\/\S+)`/gm)].map(
    ([, method, path]) => `${method} ${path}`,
  );
  const routed = ["accounts", "login", "metrics", "operate", "runtime", "usage"].flatMap((file) =>
    [...read(`src/admin/${file}.ts`).matchAll(/\.(get|post)\(\s*"(\/[^"]+)"/g)]
      .map(([, method, path]) => `${method?.toUpperCase()} ${path}`)
      .filter((route) => /admin|logs|metrics/.test(route)),
  );
  await using pool = await startPool({ accounts: [{ alias: "alice" }] });
  const quick = Object.keys(quickRoutes({ shortStatus: () => undefined })).map((path) => `GET ${path}`);
  expect(named.sort()).toEqual([...routed, ...quick].sort());
  for (const route of routed) {
    const [method = "", path = ""] = route.split(" ");
    const answer = await fetch(pool.url + path, {
      method,
      headers: { authorization: `Bearer ${pool.adminToken}`, "content-type": "application/json" },
      ...(method === "POST" ? { body: path.endsWith("unpin") ? "{}" : '{"nonsense":1}' } : {}),
    });
    // The body of one of these responses never ends.
    await answer.body?.cancel();
    expect([route, answer.status === 404]).toEqual([route, false]);
  }
});

test("docs/switching.md lists the files that account import reads", () => {
  const page = read("docs/switching.md").replace(/ +/g, " ");
  for (const { program, where } of LOGIN_FORMATS) expect(page).toContain(`| ${program} | ${where} |`);
});

test("docs/security.md names a test for every bound, and only tests that exist", () => {
  const page = read("docs/security.md");
  const named = [...page.matchAll(/`([\w/-]+\.test\.ts)`/g)].map(([, path]) => path ?? "");
  expect(named.length).toBeGreaterThan(30);
  for (const path of named) expect([path, readable(join(ROOT, "test", path))]).toEqual([path, true]);
  const bounds = page.slice(page.indexOf("## Bounds"), page.indexOf("## On disk"));
  const rows = bounds.split("\n").filter((line) => line.startsWith("| ") && !/^\| (?:what|-)/.test(line));
  expect(rows.length).toBeGreaterThan(15);
  expect(rows.filter((row) => !row.includes(".test.ts`"))).toEqual([]);
});

test("every link leads to a page and a section that exist", () => {
  const broken = PAGES.flatMap((page) =>
    [...read(page).matchAll(/\]\((?!https?:)([^)]+)\)/g)]
      .map(([, target = ""]) => target)
      .filter((target) => {
        const [path = "", section] = target.split("#");
        const file = path === "" ? page : join(page, "..", path);
        if (!readable(join(ROOT, file))) return true;
        return section !== undefined && !sectionsOf(read(file)).includes(section);
      })
      .map((target) => `${page}: ${target}`),
  );
  expect(broken).toEqual([]);
});

test("docs/README.md lists every page once, with the readers it is for", () => {
  const listed = [...read("docs/README.md").matchAll(/^- \[([\w-]+\.md)\]\(\1\): for \S/gm)].map(
    ([, name = ""]) => name,
  );
  const pages = MARKDOWN.filter((name) => name !== "README.md");
  expect(listed.sort()).toEqual(pages.sort());
});

test("every page opens with two sentences or more", () => {
  for (const page of PAGES.filter((name) => name.startsWith("docs/"))) {
    const [title = "", opening = ""] = read(page).split("\n\n");
    expect([page, title]).toEqual([page, expect.stringMatching(/^# \S/)]);
    expect([page, opening]).toEqual([page, expect.stringMatching(/^(?![|#\-<`]).*\.\s.*[.:]$/s)]);
  }
});

test("README.md shows the columns that codexlb status prints on a terminal", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }] });
  using temp = tempDirectory();
  const { out } = await runCli(["status", "--proxy-url", pool.url], {
    cwd: temp.path,
    env: { NO_COLOR: "1" },
    terminal: 60,
  });
  const header = out.split("\n").find((line) => line.includes("ACCOUNT")) ?? "nothing";
  expect(header).toContain("5h limit");
  expect(read("README.md").replaceAll(/ +/g, " ")).toContain(`${header.replaceAll(/ +/g, " ")}\n`);
});

test("docs/commands.md names every command, and README.md and docs/commands.md only commands that exist", async () => {
  const names = subcommands((await codexlb("--help")).stdout);
  const helps = await Promise.all(names.map((name) => codexlb(name, "--help")));
  const commands = new Map(names.map((name, index) => [name, subcommands(helps[index]?.stdout ?? "")]));
  expect(commands.size).toBeGreaterThan(10);
  const page = read("docs/commands.md");
  for (const [name, own] of commands)
    for (const words of own.length === 0 ? [name] : own.map((second) => `${name} ${second}`))
      expect([words, page.includes(`\`codexlb ${words}`)]).toEqual([words, true]);
  const blocks = [...read("README.md").matchAll(/^```sh\n(.*?)^```/gms)]
    .map(([, block = ""]) => block)
    .join("");
  const used = [
    ...blocks.matchAll(/^codexlb ([a-z-]+) ?([a-z-]*)/gm),
    ...page.matchAll(/`codexlb ([a-z-]+) ?([a-z-]*)/g),
  ];
  for (const [text, first = "", second = ""] of used) {
    const own = commands.get(first);
    const exists = own !== undefined && (second === "" || own.length === 0 || own.includes(second));
    expect([text, exists]).toEqual([text, true]);
  }
});

/** The pages in docs, where there are pictures too. */
const MARKDOWN = readdirSync(join(ROOT, "docs")).filter((name) => name.endsWith(".md"));

const PAGES = ["README.md", "CONTRIBUTING.md", "SECURITY.md", ...MARKDOWN.map((name) => `docs/${name}`)];

/** The names by which links lead to the sections of a page, as GitHub forms them from the headings. */
function sectionsOf(page: string): string[] {
  return [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

/** Runs codexlb from its sources in an empty root. */
async function codexlb(...args: string[]): Promise<{ readonly stdout: string }> {
  using home = tempDirectory();
  const run = Bun.spawn([process.execPath, join(ROOT, "src/main.ts"), ...args], {
    env: { HOME: home.path, PATH: process.env.PATH },
    stdout: "pipe",
  });
  const stdout = await new Response(run.stdout).text();
  await run.exited;
  return { stdout };
}

/** The commands that a help text lists. */
function subcommands(help: string): string[] {
  const section = /^Commands:\n((?: {2}.*\n)+)/m.exec(help)?.[1] ?? "";
  return [...section.matchAll(/^ {2}([a-z-]+) /gm)].map(([, name = ""]) => name);
}

function readable(path: string): boolean {
  try {
    readFileSync(path);
    return true;
  } catch {
    return false;
  }
}
