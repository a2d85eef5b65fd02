// Quick answers, which need only a part of the program. They are the same as those of the whole program.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { runCli } from "../support/cli.ts";
import { startPool } from "../support/pool.ts";
import { type TempDirectory, tempDirectory } from "../support/temp.ts";

let temp: TempDirectory;
beforeAll(() => {
  temp = tempDirectory();
});
afterAll(() => temp[Symbol.dispose]());

const run = (args: readonly string[], env: Record<string, string> = {}) =>
  runCli(args, { cwd: temp.path, env });

test("status --short sends one request to the proxy of the root", async () => {
  const root = join(temp.path, "only-socket");
  mkdirSync(root);
  const asked: string[] = [];
  const server = Bun.serve({
    unix: join(root, "admin.sock"),
    fetch: (request) => {
      asked.push(new URL(request.url).pathname);
      return new Response("lb=quick\n");
    },
  });
  for (const [args, env] of [
    [["status", "--short", "--root", root], {}],
    [["status", `-root=${root}`, "-short"], {}],
    [["status", "--short"], { CODEXLB_ROOT: root }],
  ] as const)
    expect(await run(args, env)).toEqual({ code: 0, out: "lb=quick\n", err: "" });
  expect(asked).toEqual(Array(3).fill("/admin/short-status"));
  await server.stop(true);
});

test("it prints the same as the whole program", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
  await pool.accounts.pin("bob");
  const quick = await run(["status", "--short", "--root", pool.layout.root]);
  const long = await run(["status", "--short", "--timeout", "3s", "--root", pool.layout.root]);
  expect(quick).toEqual(long);
  expect(quick).toMatchObject({ code: 0, err: "" });
  expect(quick.out).toMatch(/^lb=\w+ reason=[\w-]+ mode=sticky\n$/);
});

test("a root that names another proxy uses that proxy", async () => {
  await using other = await startPool({
    accounts: [{ alias: "carol" }],
    config: '[policy]\nmode = "round_robin"\n',
  });
  await using pool = await startPool({
    accounts: [{ alias: "alice" }],
    config: `[proxy]\nproxy_url = "${other.url}"\n`,
  });
  const far = await run(["status", "--short", "--root", pool.layout.root]);
  expect(far.out).toContain("mode=round_robin");
  const named = await run(["status", "--short"], {
    CODEXLB_ROOT: pool.layout.root,
    CODEXLB_PROXY_URL: other.url,
  });
  expect(named.out).toBe(far.out);
});

test("an unexpected answer of the socket is left to the whole program", async () => {
  const root = join(temp.path, "nonsense");
  mkdirSync(root);
  const server = Bun.serve({ unix: join(root, "admin.sock"), fetch: () => new Response("hello") });
  const ran = await run(["status", "--short", "--root", root]);
  expect(ran).toMatchObject({ code: 1, out: "" });
  expect(ran.err).toContain("does not answer like a codexlb proxy: hello");
  await server.stop(true);
});

test("an answer with characters that a terminal may not get is left to the whole program", async () => {
  const root = join(temp.path, "hostile");
  mkdirSync(root);
  const answer = "lb=\u202eevil reason=\u001b[2J";
  const server = Bun.serve({ unix: join(root, "admin.sock"), fetch: () => new Response(answer) });
  const ran = await run(["status", "--short", "--root", root]);
  expect(ran).toMatchObject({ code: 1, out: "" });
  expect(["\u202e", "\u001b"].filter((character) => ran.err.includes(character))).toEqual([]);
  await server.stop(true);
});

test("errors are reported as usual", async () => {
  const absent = await run(["status", "--short", "--root", join(temp.path, "nothing")]);
  expect(absent).toMatchObject({ code: 1, out: "" });
  expect(absent.err).toContain("codexlb proxy");
  const both = await run(["status", "--short", "--json"]);
  expect(both).toMatchObject({ code: 2, out: "" });
  for (const word of ["--version", "-version", "-v", "-V", "version"])
    expect((await run([word])).out).toMatch(/^codexlb \S+ \(\S+, [\w-]+, bun \S+\)\n$/);
});

test.each(["--version", "version"])("%s with another argument is a usage error", async (word) => {
  expect(await run([word, "extra"])).toEqual({
    code: 2,
    out: "",
    err: `codexlb: unexpected argument "extra"\n  ${word} takes no arguments\n`,
  });
});
