// Tests the launchd property list, also with an independent parser.

import { describe, expect, test } from "bun:test";
import { launchdPlist, programArgumentsIn } from "../../src/service/launchd-plist.ts";
import type { ServiceOptions } from "../../src/service/service.ts";
import { isThere } from "../support/shells.ts";

const OPTIONS: ServiceOptions = {
  binary: "/usr/local/bin/codexlb",
  root: "/Users/alice/.codex-lb",
  listen: undefined,
  upstream: undefined,
  user: undefined,
};
const STRANGE: ServiceOptions = {
  ...OPTIONS,
  binary: `/Users/a b/<&>"'%n$HOME\\/codexlb`,
  root: "/Users/a b/]]> &amp; é",
  listen: "127.0.0.1:9000",
  upstream: "https://backend.example/a?b=1&c=2",
};

describe("the property list", () => {
  test.each([OPTIONS, STRANGE])("contains the same arguments when it is read: %j", (options) => {
    expect(programArgumentsIn(launchdPlist(options))?.slice(0, 4)).toEqual([
      options.binary,
      "proxy",
      "--root",
      options.root,
    ]);
  });

  test("yields no arguments if it has none", () => {
    expect(programArgumentsIn("<plist><dict/></plist>")).toBeUndefined();
  });

  const hasPython = isThere("python3", "the property list in an independent parser");
  test.skipIf(!hasPython)("has the same values in another parser", () => {
    const read = "import json, plistlib, sys; print(json.dumps(plistlib.loads(sys.stdin.buffer.read())))";
    const ran = Bun.spawnSync(["python3", "-c", read], { stdin: Buffer.from(launchdPlist(STRANGE)) });
    expect(ran.stderr.toString()).toBe("");
    expect(JSON.parse(ran.stdout.toString())).toEqual({
      Label: "com.codexlb.proxy",
      ProgramArguments: [
        STRANGE.binary,
        ...["proxy", "--root", STRANGE.root, "--listen", "127.0.0.1:9000"],
        ...["--upstream", "https://backend.example/a?b=1&c=2"],
      ],
      RunAtLoad: true,
      KeepAlive: true,
      ExitTimeOut: 60,
      Umask: 0o077,
      StandardOutPath: `${STRANGE.root}/logs/launchd.stdout.log`,
      StandardErrorPath: `${STRANGE.root}/logs/launchd.stderr.log`,
    });
  });
});
