// `codexlb setup` and `codexlb unsetup` as commands, and what doctor reports about them.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createSseClient } from "../../../src/mock/client.ts";
import { runCli } from "../../support/cli.ts";
import { startPool } from "../../support/pool.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";

let temp: TempDirectory;
beforeAll(() => {
  temp = tempDirectory();
});
afterAll(() => temp[Symbol.dispose]());

let serial = 0;

/** A user whose Codex home has `config` as its config.toml. */
function userWith(config: string) {
  const home = join(temp.path, `user-${++serial}`);
  mkdirSync(home);
  const path = join(home, "config.toml");
  writeFileSync(path, config);
  return {
    home,
    path,
    read: () => readFileSync(path, "utf8"),
    run: (args: readonly string[], env: Record<string, string> = {}) =>
      runCli(args, { cwd: temp.path, env: { CODEX_HOME: home, ...env } }),
  };
}

describe("codexlb setup", () => {
  test("points the user's own Codex at the running proxy, and unsetup undoes that", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const user = userWith("# mine\nmodel = 'm'\n");
    const at = ["--root", pool.layout.root];
    const lines = [
      `openai_base_url = "${pool.url}/backend-api/codex" # by codexlb setup`,
      `chatgpt_base_url = "${pool.url.replace("127.0.0.1", "localhost")}/backend-api/" # by codexlb setup`,
    ];
    const shown = await user.run(["setup", ...at, "--print"]);
    expect(shown).toEqual({
      code: 0,
      out: `${user.path}\n${lines.map((line) => `+${line}\n`).join("")}`,
      err: "",
    });
    expect(readdirSync(user.home)).toEqual(["config.toml"]);
    expect(await user.run(["setup", ...at])).toEqual({
      code: 0,
      out: `${user.path} points at ${pool.url} (undo: codexlb unsetup --root ${pool.layout.root}); restart running clients\n`,
      err: "",
    });
    expect(user.read()).toBe(`# mine\nmodel = 'm'\n${lines.join("\n")}\n`);
    expect((await user.run(["setup", ...at])).out).toBe(`${user.path} already points at ${pool.url}\n`);
    expect((await user.run(["setup", ...at, "--print"])).out).toBe(`${user.path}\nnothing to change\n`);
    expect(await createSseClient(pool.url, crypto.randomUUID()).turn("hi")).toBe("Hello from alice");
    expect((await user.run(["unsetup", ...at])).out).toBe(
      `restored ${user.path} to its state before codexlb setup; restart running clients\n`,
    );
    expect(user.read()).toBe("# mine\nmodel = 'm'\n");
    expect((await user.run(["unsetup", ...at])).out).toBe(`${user.home} is not set up; nothing to undo\n`);
  });

  test("shows the replaced value, and warns about a setting that still sends turns elsewhere", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const user = userWith("model_provider = 'azure'\nopenai_base_url = 'https://old/v1'\n");
    const at = ["--root", pool.layout.root];
    expect((await user.run(["setup", ...at, "--print"])).out).toContain(
      `-openai_base_url = 'https://old/v1'\n+openai_base_url = "${pool.url}/backend-api/codex"\n`,
    );
    expect((await user.run(["setup", ...at])).err).toBe(
      `codexlb: warning: model_provider = "azure" in ${user.path} still sends turns elsewhere; remove it to use the proxy\n`,
    );
  });

  test("warns about a login that is also an account of the proxy", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const user = userWith("");
    writeFileSync(
      join(user.home, "auth.json"),
      readFileSync(join(pool.layout.accounts, "alice", "auth.json")),
    );
    expect((await user.run(["setup", "--root", pool.layout.root])).err).toContain(
      "is also that of account alice, so the first token refresh",
    );
  });

  test("is refused if clients need a key, if another server listens, and for the home of run", async () => {
    await using keyed = await startPool({
      accounts: [{ alias: "alice" }],
      config: "[proxy]\nclient_auth = true\n",
    });
    const user = userWith("");
    const refused = await user.run(["setup", "--root", keyed.layout.root]);
    expect(refused).toMatchObject({ code: 1, out: "" });
    expect(refused.err).toContain(`the proxy at ${keyed.url} requires a client key`);
    const stranger = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("hello") });
    const url = `http://127.0.0.1:${stranger.port}`;
    const strange = await user.run(["setup", "--root", keyed.layout.root, "--proxy-url", url]);
    await stranger.stop(true);
    expect(strange.err).toStartWith(`codexlb: the server at ${url} is not a codexlb proxy\n`);
    const runtime = await user.run(["setup", "--root", keyed.layout.root], {
      CODEX_HOME: keyed.layout.runtime,
    });
    expect(runtime).toMatchObject({ code: 2 });
    expect(readdirSync(user.home)).toEqual(["config.toml"]);
  });
});

describe("codexlb unsetup", () => {
  const edit = async (change: (config: string) => string) => {
    const user = userWith("model = 'm'\n");
    await user.run(["setup", "--proxy-url", pool.url, "--root", pool.layout.root]);
    const edited = change(user.read());
    writeFileSync(user.path, edited);
    const { code, out, err } = await user.run(["unsetup"]);
    expect(code).toBe(0);
    expect(readdirSync(user.home)).toEqual(["config.toml"]);
    return {
      edited,
      config: user.read(),
      out: out.replaceAll(user.path, "PATH"),
      err: err.replaceAll(user.path, "PATH"),
    };
  };
  const OPENAI = /(?<=openai_base_url = ")[^"]*/;
  const CHATGPT = /(?<=chatgpt_base_url = ")[^"]*/;
  let pool: Awaited<ReturnType<typeof startPool>>;
  beforeAll(async () => {
    pool = await startPool({ accounts: [{ alias: "alice" }] });
  });
  afterAll(() => pool[Symbol.asyncDispose]());

  test("says in one message that it removed nothing if both URLs were changed", async () => {
    const { config, edited, out, err } = await edit((text) =>
      text.replace(OPENAI, "http://a/").replace(CHATGPT, "http://b/"),
    );
    expect(config).toBe(edited);
    expect(out).toBe(
      "removed nothing from PATH: openai_base_url and chatgpt_base_url were changed after codexlb setup\n",
    );
    expect(err).toBe("");
  });

  test("says that it removed nothing if one URL was changed and the other deleted", async () => {
    const { out, err } = await edit((text) =>
      text.replace(OPENAI, "http://a/").replace(/^chatgpt_base_url.*\n/m, ""),
    );
    expect(out).toBe("removed nothing from PATH: openai_base_url was changed after codexlb setup\n");
    expect(err).toBe("");
  });

  test("says that it removed nothing if both URLs were deleted", async () => {
    const { config, out, err } = await edit(() => "model = 'n'\n");
    expect(config).toBe("model = 'n'\n");
    expect(out).toBe("removed nothing from PATH: the base URLs of codexlb setup are no longer in it\n");
    expect(err).toBe("");
  });

  test("names the URL that it removed and warns about the one that was changed", async () => {
    const { config, out, err } = await edit((text) => text.replace(OPENAI, "http://a/"));
    expect(config).toBe("model = 'm'\nopenai_base_url = \"http://a/\" # by codexlb setup\n");
    expect(out).toBe(
      "removed chatgpt_base_url of codexlb setup from PATH; kept the edits made since; restart running clients\n",
    );
    expect(err).toBe("codexlb: warning: kept openai_base_url in PATH: it was changed after codexlb setup\n");
  });

  test("says that it removed the URLs and kept edits made elsewhere in the file", async () => {
    const { config, out, err } = await edit((text) => `${text}[new]\n`);
    expect(config).toBe("model = 'm'\n[new]\n");
    expect(out).toBe(
      "removed the base URLs of codexlb setup from PATH; kept the edits made since; restart running clients\n",
    );
    expect(err).toBe("");
  });
});

describe("codexlb doctor", () => {
  const found = async (user: ReturnType<typeof userWith>, root: string) => {
    const { out } = await user.run(["doctor", "--json", "--root", root, "--codex-bin", "/nowhere"]);
    const { findings } = JSON.parse(out);
    return findings.find(({ check }: { check: string }) => check === "other clients");
  };

  test("reports clients that are set up for a proxy that requires keys", async () => {
    await using pool = await startPool({
      accounts: [{ alias: "alice" }],
      config: "[proxy]\nclient_auth = true\n",
    });
    const user = userWith(
      `openai_base_url = "${pool.url}/backend-api/codex"\nchatgpt_base_url = "${pool.url.replace("127.0.0.1", "localhost")}/backend-api/"\n`,
    );
    expect(await found(user, pool.layout.root)).toMatchObject({
      status: "bad",
      detail: `${user.path} points them at ${pool.url}, but the proxy there requires a client key, which they do not send`,
    });
  });

  test("reports whether other clients are set up, for which proxy, and whether it runs", async () => {
    const pool = await startPool({ accounts: [{ alias: "alice" }] });
    const { root } = pool.layout;
    const user = userWith("");
    expect(await found(user, root)).toMatchObject({
      status: "ok",
      detail: expect.stringContaining("only codexlb run uses the proxy"),
    });
    await user.run(["setup", "--root", root]);
    expect(await found(user, root)).toMatchObject({
      status: "ok",
      detail: `${user.path} points them at ${pool.url}; the proxy there answers`,
    });
    const set = user.read();
    writeFileSync(user.path, set.replaceAll(/:\d+\//g, ":1/"));
    expect(await found(user, root)).toMatchObject({
      status: "warning",
      detail: expect.stringContaining(`but the proxy is at ${pool.url}`),
    });
    writeFileSync(user.path, set);
    await pool[Symbol.asyncDispose]();
    mkdirSync(root, { recursive: true, mode: 0o700 });
    writeFileSync(pool.layout.config, `[proxy]\nlisten = "${new URL(pool.url).host}"\n`);
    expect(await found(user, root)).toMatchObject({
      status: "bad",
      detail: `${user.path} points them at ${pool.url}, but no proxy is running there`,
    });
  });
});
