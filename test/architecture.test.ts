// Checks the layers: a file may import only from its own layer and from layers to its left.

import { describe, expect, test } from "bun:test";
import { dirname, join, relative } from "node:path";
import { Glob } from "bun";

const SOURCE = join(import.meta.dir, "..", "src");

/** From left to right. A name is that of a file or of a folder. */
const LAYERS = [
  [
    "errors.ts",
    "quote.ts",
    "advice.ts",
    "printable.ts",
    "terminal-columns.ts",
    "wrapped-lines.ts",
    "print.ts",
    "gathering-reader.ts",
    "bounded-fetch.ts",
    "running-time.ts",
    "deps.ts",
    "version.ts",
  ],
  ["core"],
  ["network"],
  ["state"],
  ["auth"],
  ["cluster"],
  ["upstream"],
  ["simulation"],
  ["proxy"],
  ["notify"],
  ["metrics"],
  ["tracing"],
  ["admin"],
  ["dashboard"],
  ["codex"],
  ["login"],
  ["mock"],
  ["daemon"],
  ["service"],
  ["upgrade"],
  ["cli"],
  ["quick.ts"],
  ["main.ts"],
] as const;

const layerOf = (path: string): number => {
  const top = path.split("/")[0] ?? "";
  return LAYERS.findIndex((names) => (names as readonly string[]).includes(top));
};

/** Every module that `text` imports, including type imports and dynamic imports. */
function importsOf(text: string): string[] {
  const found = text.matchAll(/(?:from|import)\s*\(?\s*["']([^"']+)["']/g);
  return [...found].map((match) => match[1] ?? "");
}

const files = [...new Glob("**/*.{ts,tsx}").scanSync(SOURCE)].sort();

describe("layers", () => {
  test("contain every source file", () => {
    expect(files.length).toBeGreaterThan(50);
    expect(files.filter((file) => layerOf(file) < 0)).toEqual([]);
  });

  test("import leftwards only", async () => {
    const wrong: string[] = [];
    for (const file of files) {
      for (const name of importsOf(await Bun.file(join(SOURCE, file)).text())) {
        if (!name.startsWith(".")) continue;
        const target = relative(SOURCE, join(SOURCE, dirname(file), name));
        // Scripts for shells are imported as text, tables of data as JSON, and the style sheet of the page by its script.
        if (!/\.(?:tsx?|css|bash|zsh|fish|ps1|json)$/.test(name))
          wrong.push(`${file} imports ${name}: name the file`);
        else if (layerOf(target) > layerOf(file)) wrong.push(`${file} imports ${target}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test("contain no circles of imports", async () => {
    const imports = new Map<string, string[]>();
    for (const file of files) {
      const names = importsOf(await Bun.file(join(SOURCE, file)).text());
      imports.set(
        file,
        names.filter((name) => name.startsWith(".")).map((name) => join(dirname(file), name)),
      );
    }
    const reachedFrom = (start: string): Set<string> => {
      const reached = new Set<string>();
      const pending = [start];
      for (let file = pending.pop(); file !== undefined; file = pending.pop())
        for (const target of imports.get(file) ?? [])
          if (!reached.has(target)) {
            reached.add(target);
            pending.push(target);
          }
      return reached;
    };
    expect([...imports.keys()].filter((file) => reachedFrom(file).has(file))).toEqual([]);
  });

  test("of pure rules touch nothing outside: no clock, no randomness, no files, no Bun", async () => {
    const wrong: string[] = [];
    for (const file of files.filter((name) => name.startsWith("core/"))) {
      const text = await Bun.file(join(SOURCE, file)).text();
      const code = text.replaceAll(/\/\/.*|\/\*[\s\S]*?\*\//g, "");
      for (const word of [
        "Date.now",
        "Math.random",
        "new Date()",
        "setTimeout",
        "Bun.",
        "process.",
        "fetch(",
      ])
        if (code.includes(word)) wrong.push(`${file} uses ${word}`);
      for (const name of importsOf(text))
        if (!name.startsWith(".") && name !== "zod") wrong.push(`${file} imports ${name}`);
    }
    expect(wrong).toEqual([]);
  });

  test("import the browser in one file, which loads it only when needed", async () => {
    const uses: string[] = [];
    for (const file of files) {
      const text = await Bun.file(join(SOURCE, file)).text();
      if (/import\("playwright-core"\)/.test(text)) uses.push(file);
      expect([file, /^import (?!type).*"playwright-core"/m.test(text)]).toEqual([file, false]);
    }
    expect(uses).toEqual(["login/browser.ts"]);
  });

  test("import the client of the cluster's server in one file, which is loaded only for a cluster", async () => {
    const uses: string[] = [];
    const loads: string[] = [];
    for (const file of files) {
      const text = await Bun.file(join(SOURCE, file)).text();
      if (text.includes('"ioredis"')) uses.push(file);
      for (const [, name = ""] of text.matchAll(/^import (?!type)[^;"]*"([^"]+)"/gm))
        if (/cluster\/(?:engine|replica)\.ts$/.test(relative(SOURCE, join(SOURCE, dirname(file), name))))
          loads.push(file);
    }
    expect(uses).toEqual(["cluster/engine.ts"]);
    expect(loads).toEqual(["cluster/replica.ts"]);
  });

  test("are composed in one place: only the composition root, simulations and tests construct the parts of a daemon", async () => {
    const makers = [
      "createPool(",
      "createRefreshLane(",
      "createRefresher(",
      "startServer(",
      "createReplica(",
    ];
    const wrong: string[] = [];
    for (const file of files.filter((name) => !name.startsWith("daemon/"))) {
      const text = await Bun.file(join(SOURCE, file)).text();
      for (const maker of makers)
        if (text.includes(maker) && !text.includes(`export function ${maker}`))
          wrong.push(`${file} calls ${maker}`);
    }
    // A simulation runs the real pool, without the other parts.
    expect(wrong).toEqual(["simulation/simulated-pool.ts calls createPool("]);
  });

  test("print through one file, which makes text from others safe for terminals", async () => {
    const ways = [
      "process.stdout.write(",
      "process.stderr.write(",
      "console.",
      "Bun.stdout",
      "Bun.stderr",
      "createConsola(",
    ];
    const uses: string[] = [];
    for (const file of files) {
      const text = await Bun.file(join(SOURCE, file)).text();
      const code = text.replaceAll(/\/\/.*|\/\*[\s\S]*?\*\//g, "");
      if (ways.some((way) => code.includes(way))) uses.push(file);
    }
    expect(uses).toEqual([
      // Gives consola nothing but printable text.
      "cli/terminal/marked-messages.ts",
      // Owns the terminal while it is open; its lines go through `printable`.
      "cli/terminal/screen.ts",
      "print.ts",
      // Answers before anything else is loaded; its line goes through `oneLine`.
      "quick.ts",
    ]);
  });
});
