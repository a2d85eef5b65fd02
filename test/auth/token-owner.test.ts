import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseAuthFile } from "../../src/auth/auth-file.ts";
import { withTokenOwner } from "../../src/auth/token-owner.ts";
import { runCli } from "../support/cli.ts";
import { outcome } from "../support/outcome.ts";
import { startPool } from "../support/pool.ts";
import { tempDirectory } from "../support/temp.ts";

/** The format that `codex login --with-access-token` of 0.171 writes. */
const PERSONAL = '{\n  "OPENAI_API_KEY": null,\n  "personal_access_token": "at-good"\n}';
const OWNER = {
  email: "p@example.com",
  chatgpt_user_id: "user-p",
  chatgpt_account_id: "acct-p",
  chatgpt_plan_type: "pro",
  chatgpt_account_is_fedramp: false,
};

let signIn: Bun.Server<undefined>;
let env: Record<string, string>;
beforeAll(() => {
  signIn = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => {
      if (new URL(request.url).pathname !== "/api/accounts/v1/user-auth-credential/whoami")
        return new Response("", { status: 404 });
      const token = request.headers.get("authorization");
      if (token === "Bearer at-good") return Response.json(OWNER);
      if (token === "Bearer at-gov") return Response.json({ ...OWNER, chatgpt_account_is_fedramp: true });
      if (token === "Bearer at-odd") return new Response("busy", { status: 503 });
      return new Response("{}", { status: 401 });
    },
  });
  env = { CODEXLB_ISSUER: `http://127.0.0.1:${signIn.port}` };
});
afterAll(() => signIn.stop(true));

test("the owner of a personal access token is looked up at the sign-in service, once", async () => {
  const auth = await withTokenOwner(PERSONAL, "x", { env });
  expect(parseAuthFile(auth, "x")).toEqual({
    accessToken: "at-good",
    refreshToken: undefined,
    idToken: undefined,
    accountId: "acct-p",
    userId: "user-p",
    email: "p@example.com",
    planType: "pro",
    expiresMs: undefined,
    refreshedMs: undefined,
    apiBaseUrl: undefined,
  });
  expect(JSON.parse(auth)).toMatchObject({ OPENAI_API_KEY: null, personal_access_token: "at-good" });
  expect(await withTokenOwner(auth, "x", { env: { CODEXLB_ISSUER: "http://127.0.0.1:1" } })).toBe(auth);
});

test.each([
  ["at-unknown", "the personal access token in x cannot be used: the sign-in service rejected it (401)"],
  ["at-gov", "the personal access token in x cannot be used: it belongs to a FedRAMP workspace"],
  ["at-odd", "looking up the owner of the personal access token in x: the sign-in service returned 503"],
])("the personal access token %s is refused", async (token, why) => {
  expect(await outcome(withTokenOwner(PERSONAL.replace("at-good", token), "x", { env }))).toThrow(why);
});

test.each([
  ['{"auth_mode":"agentIdentity","agent_identity":"a.b.c"}', "contains an agent identity"],
  ['{"agent_identity":"a.b.c"}', "contains an agent identity"],
  [
    '{"auth_mode":"agentIdentity","agent_identity":"a.b.c","tokens":{"access_token":"x"}}',
    "contains an agent identity",
  ],
  ['{"auth_mode":"bedrockApiKey","bedrock_api_key":{"key":"x"}}', "contains an Amazon Bedrock login"],
  ['{"auth_mode":"apikey","OPENAI_API_KEY":"sk-1"}', "contains an API key"],
  ['{"auth_mode":"somethingNew"}', 'has the unknown login type "somethingNew"'],
  ['{"OPENAI_API_KEY":null}', "has no tokens.access_token"],
])("the login %s is refused with an error that names its type", (text, why) => {
  expect(() => parseAuthFile(text, "x")).toThrow(why);
});

test.each([
  '{"auth_mode":"chatgptAuthTokens","tokens":{"access_token":"x","refresh_token":""}}',
  '{"auth_mode":"apikey","OPENAI_API_KEY":"sk-1","tokens":{"access_token":"x"}}',
  '{"agent_identity":"a.b.c","tokens":{"access_token":"x"}}',
])("the login %s uses its tokens", (text) => {
  expect(parseAuthFile(text, "x").accessToken).toBe("x");
});

test("a personal access token can be imported and serves turns", async () => {
  using temp = tempDirectory();
  const seen: (string | null)[][] = [];
  const backend = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => {
      if (new URL(request.url).pathname.endsWith("/responses"))
        seen.push(["authorization", "chatgpt-account-id"].map((name) => request.headers.get(name)));
      return Response.json({});
    },
  });
  await using pool = await startPool({
    accounts: [],
    upstream: `http://127.0.0.1:${backend.port}/backend-api`,
  });
  const home = join(temp.path, "home");
  mkdirSync(home);
  writeFileSync(join(home, "auth.json"), PERSONAL);
  const ran = await runCli(["account", "import", "--root", pool.layout.root, "--from", home], {
    cwd: temp.path,
    env,
  });
  expect(ran).toEqual({
    code: 0,
    out: "imported account p (total=1)\n",
    err: "codexlb: warning: this is a personal access token: it cannot be renewed and works until it expires or is revoked\n",
  });
  expect(readFileSync(join(home, "auth.json"), "utf8")).toBe(PERSONAL);
  await fetch(`${pool.url}/v1/responses`, { method: "POST", body: "{}" });
  await backend.stop(true);
  expect(seen[0]).toEqual(["Bearer at-good", "acct-p"]);
});
