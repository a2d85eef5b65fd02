// Checks that the documentation describes the current program.

import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { performancePage } from "../scripts/bench/page.ts";
import { configurationPage } from "../scripts/configuration-page.ts";
import { policiesPage } from "../scripts/policies-page.ts";
import { quickRoutes } from "../src/admin/app.ts";
import { startPool } from "./support/pool.ts";

const ROOT = join(import.meta.dir, "..");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

test("docs/configuration.md is generated from the settings (run make docs)", () => {
  expect(read("docs/configuration.md")).toBe(configurationPage());
});

test("docs/policies.md is generated from the simulation (run make docs)", () => {
  expect(read("docs/policies.md")).toBe(policiesPage());
});

test("docs/performance.md is generated from the published result (run make docs)", () => {
  const page = read("docs/performance.md");
  expect(page).toBe(performancePage(page, undefined));
});

test("docs/admin-api.md names every endpoint that exists, and no other", async () => {
  const named = [...read("docs/admin-api.md").matchAll(/^\| `(GET|POST) (\/\S+)`/gm)].map(
    ([, method, path]) => `${method} ${path}`,
  );
  const routed = ["accounts", "login", "operate", "runtime"].flatMap((file) =>
    [...read(`src/admin/${file}.ts`).matchAll(/\.(get|post)\(\s*"(\/[^"]+)"/g)]
      .map(([, method, path]) => `${method?.toUpperCase()} ${path}`)
      .filter((route) => /admin|logs/.test(route)),
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

test("docs/security.md names a test for every bound, and only tests that exist", () => {
  const page = read("docs/security.md");
  const named = [...page.matchAll(/`([\w/-]+\.test\.ts)`/g)].map(([, path]) => path ?? "");
  expect(named.length).toBeGreaterThan(30);
  for (const path of named) expect([path, readable(join(ROOT, "test", path))]).toEqual([path, true]);
  const bounds = page.slice(page.indexOf("## Bounds"), page.indexOf("## On the disk"));
  const rows = bounds.split("\n").filter((line) => line.startsWith("| ") && !/^\| (?:what|-)/.test(line));
  expect(rows.length).toBeGreaterThan(15);
  expect(rows.filter((row) => !row.includes(".test.ts`"))).toEqual([]);
});

test("links between pages lead somewhere", () => {
  const pages = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    ...readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`),
  ];
  for (const page of pages)
    for (const [, target] of read(page).matchAll(/\]\((?!https?:)([^)#]+)/g))
      expect([page, target, readable(join(ROOT, page, "..", target ?? ""))]).toEqual([page, target, true]);
});

function readable(path: string): boolean {
  try {
    readFileSync(path);
    return true;
  } catch {
    return false;
  }
}
