import { expect, test } from "bun:test";
import { codexAddresses } from "../../src/codex/addresses.ts";
import { codexCommand, commandLine } from "../../src/codex/command-line.ts";

const make = (args: string[], env: Record<string, string> = {}, prefix: string[] = []) =>
  codexCommand({
    binary: "codex",
    addresses: codexAddresses("http://127.0.0.1:1"),
    proxyUrl: "http://127.0.0.1:1",
    codexHome: "/home/me/it's mine",
    prefix,
    args,
    env,
  });

test("the line can be pasted into a shell as it is", () => {
  expect(commandLine(make(["exec", 'say "hi" to $USER\'s dog', ""], {}, ["--yolo"]))).toBe(
    `CODEX_HOME='/home/me/it'"'"'s mine' CODEX_REFRESH_TOKEN_URL_OVERRIDE=http://127.0.0.1:1/oauth/token OPENAI_API_KEY=codex-lb-local-key OPENAI_BASE_URL=http://127.0.0.1:1 codex -c 'openai_base_url="http://127.0.0.1:1/backend-api/codex"' -c 'chatgpt_base_url="http://localhost:1/backend-api/"' --yolo exec 'say "hi" to $USER'"'"'s dog' ''`,
  );
});

test("the user's own API key is left alone", () => {
  expect(make([], { OPENAI_API_KEY: "sk-mine" }).env.OPENAI_API_KEY).toBeUndefined();
  expect(make([], { OPENAI_API_KEY: "" }).env.OPENAI_API_KEY).toBe("codex-lb-local-key");
});
