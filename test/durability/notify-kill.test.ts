// A proxy that is killed before it could send a notification sends it after the next start.

import { expect, test } from "bun:test";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SETTLE_MS } from "../../src/core/notify/pending.ts";
import { makePrivateDirectory } from "../../src/state/atomic-file.ts";
import { executable } from "../support/executable.ts";
import { until } from "../support/pool.ts";

test("a run that bypassed a proxy is reported, although the proxy is killed at once", async () => {
  using tool = executable();
  const [script, out] = [join(tool.directory, "notify"), join(tool.directory, "out")];
  writeFileSync(script, `#!/bin/sh\nprintf '%s\\n' "$CODEXLB_NOTIFICATION" >> ${out}\n`);
  chmodSync(script, 0o755);
  makePrivateDirectory(tool.root);
  writeFileSync(join(tool.root, "config.toml"), `[notify]\ncommand = ["${script}"]\n`, { mode: 0o600 });
  const start = () => tool.start(["proxy", "--listen", "127.0.0.1:0"]);

  const first = await start();
  const url = /listening on (http:\S+)/.exec(first.firstLine)?.[1] ?? "";
  expect((await fetch(`${url}/@0123456789abcdef/run`, { method: "POST" })).status).toBe(200);
  process.kill(first.pid, "SIGKILL");
  await using second = await start();
  expect(second.pid).not.toBe(first.pid);
  await until("the message is sent", () => existsSync(out), SETTLE_MS + 30_000);
  await until("it is noted", () =>
    readFileSync(join(tool.root, "notify.json"), "utf8").includes('"present": true'),
  );
  expect(readFileSync(out, "utf8")).toMatch(/^A run of Codex bypassed the proxy.*\n$/);
});
