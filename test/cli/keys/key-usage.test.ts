import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { keyObstacles, keySteps } from "../../../src/cli/keys/key-usage.ts";
import { runCli } from "../../support/cli.ts";
import { tempDirectory } from "../../support/temp.ts";

const DEFAULT = { listen: "127.0.0.1:8765", client_auth: false };
const FILE = { path: "/r/config.toml", listenSource: "config.toml line 3", isService: false };
const OPEN = { listen: "10.0.0.2:9000", client_auth: true };

test("a client key comes with the command for the other machine", () => {
  expect(keySteps("client", DEFAULT)).toEqual([
    "to run Codex on another machine, run there: CODEXLB_PROXY_URL=http://HOST:8765 CODEXLB_CLIENT_KEY=KEY codexlb run",
    "other clients send the key as Authorization: Bearer KEY",
  ]);
  expect(keySteps("client", OPEN)[0]).toContain("CODEXLB_PROXY_URL=http://10.0.0.2:9000 ");
  expect(keySteps("parent", OPEN)).toEqual([
    "add this proxy to proxy.child_proxy_urls of the proxy in front, as http://:KEY@10.0.0.2:9000",
  ]);
});

test("a key for metrics comes with the address to read", () => {
  expect(keySteps("metrics", OPEN)).toEqual([
    "a monitoring program reads http://10.0.0.2:9000/metrics with Authorization: Bearer KEY",
  ]);
  expect(keyObstacles("metrics", DEFAULT, FILE)).toEqual([]);
});

test("settings that keep a key from having an effect are named", () => {
  expect(keyObstacles("client", OPEN, FILE)).toEqual([]);
  expect(keyObstacles("client", DEFAULT, FILE)).toEqual([
    "the proxy accepts clients without a key as long as proxy.client_auth = false: set client_auth = true below [proxy] in /r/config.toml",
    'the proxy listens on 127.0.0.1:8765, which other machines cannot reach directly: set listen = "0.0.0.0:8765" below [proxy] in /r/config.toml, and restart the proxy',
  ]);
  // A proxy in front needs its key for the accounts of this one, with or without client_auth.
  expect(keyObstacles("parent", { ...OPEN, client_auth: false }, FILE)).toEqual([]);
});

test("where a flag decides the address, the advice names the flag", () => {
  expect(keyObstacles("parent", DEFAULT, { ...FILE, listenSource: "--listen" })).toEqual([
    "the proxy listens on 127.0.0.1:8765, which other machines cannot reach directly: the proxy was started with --listen, which overrides /r/config.toml, so run: codexlb proxy restart --listen 0.0.0.0:8765",
  ]);
  const flag = { ...FILE, listenSource: "--listen", isService: true };
  expect(keyObstacles("parent", DEFAULT, flag)[0]).toEndWith("codexlb service install --listen 0.0.0.0:8765");
});

test("a key that is added while config.toml is broken comes with the steps, and with what is wrong", async () => {
  using temp = tempDirectory();
  writeFileSync(join(temp.path, "config.toml"), "[policy]\nmode = 'fastest'\n");
  const { code, out, err } = await runCli(["key", "add", "laptop", "--root", temp.path], { cwd: temp.path });
  expect([code, out.trim().split("\n").length]).toEqual([0, 1]);
  expect(err).toMatch(/config\.toml: line 2: .*; correct the file/);
  expect(err).toContain("run there: CODEXLB_PROXY_URL=http://HOST:PORT CODEXLB_CLIENT_KEY=KEY codexlb run\n");
});

test("an empty name is refused in the words of the command line", async () => {
  using temp = tempDirectory();
  const { code, err } = await runCli(["key", "add", "", "--root", temp.path], { cwd: temp.path });
  expect(code).toBe(2);
  expect(err).toContain("key add: the name is empty");
  expect(err).toContain("codexlb key add --help");
});
