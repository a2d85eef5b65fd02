import { expect, test } from "bun:test";
import { codexAddresses } from "../../src/codex/addresses.ts";
import { codexCommand, commandLine } from "../../src/codex/command-line.ts";

const make = (
  args: string[],
  env: Record<string, string> = {},
  prefix: string[] = [],
  proxyUrl = "http://127.0.0.1:1",
) =>
  codexCommand({
    binary: "codex",
    addresses: codexAddresses(proxyUrl),
    proxyUrl,
    codexHome: "/home/me/it's mine",
    prefix,
    args,
    env,
  });

test("the line can be pasted into a shell unchanged", () => {
  expect(commandLine(make(["exec", 'say "hi" to $USER\'s dog', ""], {}, ["--yolo"]), {})).toBe(
    `CODEX_HOME='/home/me/it'"'"'s mine' CODEX_REFRESH_TOKEN_URL_OVERRIDE=http://127.0.0.1:1/oauth/token OPENAI_API_KEY=codex-lb-local-key OPENAI_BASE_URL=http://127.0.0.1:1 codex -c 'openai_base_url="http://127.0.0.1:1/backend-api/codex"' -c 'chatgpt_base_url="http://localhost:1/backend-api/"' --yolo exec 'say "hi" to $USER'"'"'s dog' ''`,
  );
});

test("Codex keeps an id token that names the owner of the user's threads", () => {
  const { env } = codexCommand({
    binary: "codex",
    addresses: codexAddresses("http://127.0.0.1:1"),
    proxyUrl: "http://127.0.0.1:1",
    codexHome: "/home",
    keepsIdToken: true,
    prefix: [],
    args: [],
    env: {},
  });
  expect(env.CODEX_REFRESH_TOKEN_URL_OVERRIDE).toBe("http://127.0.0.1:1/oauth/token?id_token=keep");
});

test("the user's own API key stays unchanged", () => {
  expect(make([], { OPENAI_API_KEY: "sk-mine" }).env.OPENAI_API_KEY).toBeUndefined();
  expect(make([], { OPENAI_API_KEY: "" }).env.OPENAI_API_KEY).toBe("codex-lb-local-key");
});

test("the line sets NO_PROXY if the environment sets an HTTP proxy", () => {
  const env = { http_proxy: "http://proxy.corp:3128", NO_PROXY: ".corp" };
  const line = commandLine(make([], env), env);
  expect(line).toContain(" NO_PROXY=.corp,127.0.0.1,localhost,::1 ");
  expect(line).toContain(" no_proxy=.corp,127.0.0.1,localhost,::1 ");
  expect(commandLine(make([], { NO_PROXY: ".corp" }), { NO_PROXY: ".corp" })).not.toContain("NO_PROXY");
});

test.each([
  ["http://127.0.0.1:1", ["127.0.0.1", "localhost", "::1"]],
  ["http://10.0.0.5:1", ["10.0.0.5", "::ffff:a00:5"]],
  ["http://build:1", ["build", "build."]],
  ["http://lb.internal:1", ["lb.internal", "lb.internal."]],
  ["https://lb.example.com", []],
])("Codex reaches the private hosts of %s directly", (url, hosts) => {
  expect(make([], {}, [], url).directHosts).toEqual(hosts);
});
