// Expired stubs with real Codex: it renews them by itself as long as the key for which they were made exists.

import { expect } from "bun:test";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { remoteKeys } from "../../src/admin/client.ts";
import { socketDoor } from "../../src/admin/door.ts";
import { readClaims } from "../../src/auth/claims.ts";
import { keyIdOf } from "../../src/auth/proof.ts";
import { checkRuntimeAuth } from "../../src/auth/runtime-auth.ts";
import { hashOf, readSecret } from "../../src/auth/secrets.ts";
import { makeStub, ownerOfStub, pathKeyOf } from "../../src/auth/stub.ts";
import { codexAddresses } from "../../src/codex/addresses.ts";
import { codexCommand } from "../../src/codex/command-line.ts";
import { prepareHome } from "../../src/codex/home.ts";
import { layoutOf } from "../../src/state/layout.ts";
import { gated } from "../support/gated.ts";
import { CODEX_VERSIONS, codexBinary, whyNoCodex } from "./codex-binaries.ts";
import { type Recorder, startRecorder } from "./recorder.ts";
import { BYPASS, type CodexResult, expectTurn, startReal } from "./setup.ts";

const { afterAll, beforeAll, test } = gated("real Codex, stubs", whyNoCodex(CODEX_VERSIONS.newest));

const DAY_MS = 86_400_000;

let newest = "";
let recorder: Recorder;
beforeAll(async () => {
  newest = await codexBinary(CODEX_VERSIONS.newest);
  recorder = await startRecorder();
}, 300_000);
afterAll(() => recorder[Symbol.asyncDispose]());

test("Codex renews an expired stub, keeps the owner of its threads, and is refused once its key is removed", async () => {
  await using s = await startReal(
    recorder,
    [{ alias: "alice" }],
    '[proxy]\nclient_auth = true\n[policy]\nmode = "sticky"\n',
  );
  const layout = layoutOf(s.tool.root);
  const keys = remoteKeys(socketDoor(layout.adminSocket));
  const grant = keyIdOf(hashOf(await keys.add("laptop", "client")));
  const signingKey = readSecret(layout.signingKey) ?? "";
  const codexHome = join(s.tool.directory, "client-home");
  mkdirSync(codexHome);
  const addresses = codexAddresses(s.url, { pathKey: pathKeyOf(signingKey, Date.now(), grant) });
  const stub = makeStub("pro", signingKey, Date.now() - 8 * DAY_MS, grant);
  const owner = { accountId: "acct-mine", userId: "user-mine" };
  prepareHome({ codexHome, configSources: [], stub, owner, chatgptBaseUrl: addresses.chatgpt });
  const tokens = () =>
    JSON.parse(readFileSync(join(codexHome, "auth.json"), "utf8")).tokens as typeof stub.tokens;
  const codex = async (): Promise<CodexResult> => {
    const { binary, args, env } = codexCommand({
      binary: newest,
      addresses,
      keyed: true,
      proxyUrl: s.url,
      codexHome,
      keepsIdToken: true,
      prefix: [],
      args: ["exec", ...BYPASS, "hello"],
      env: {},
    });
    const child = Bun.spawn([binary, ...args], {
      cwd: s.work,
      env: s.tool.env({ HTTPS_PROXY: recorder.url, ...env }),
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    return { code, out, err };
  };
  expectTurn(await codex(), "alice");
  expect(tokens().access_token).not.toBe(stub.tokens.access_token);
  expect((readClaims(tokens().access_token)?.exp ?? 0) * 1000).toBeGreaterThan(Date.now() + 5 * DAY_MS);
  expect(checkRuntimeAuth(codexHome)).toMatchObject({ ok: true, account_id: "acct-mine" });
  expect(ownerOfStub(tokens().id_token)).toEqual(owner);
  expectTurn(await codex(), "alice");
  const turns = s.points("message").length;
  await keys.remove("laptop");
  const refused = await codex();
  expect(refused.code).not.toBe(0);
  expect(s.points("message").length).toBe(turns);
}, 180_000);
