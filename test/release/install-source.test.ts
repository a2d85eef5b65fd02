// Tests the places from which install.sh accepts a release, and how it prints them.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { isPrivateHost } from "../../src/network/private-hosts.ts";
import { machine, SHELLS } from "../support/install-machine.ts";
import { releaseTree } from "../support/release-tree.ts";

let tree: Awaited<ReturnType<typeof releaseTree>>;
beforeAll(async () => {
  tree = await releaseTree({ targets: ["linux-x64"] });
});
afterAll(() => tree[Symbol.dispose]());

const PRIVATE = [
  ..."localhost a.localhost build mirror.local x.internal x.lan x.home.arpa 127.0.0.1 10.1.2.3".split(" "),
  ..."172.16.0.1 172.31.255.1 192.168.1.1 169.254.1.1 100.64.0.1 100.127.1.1 [::1] [fd00::1] [fe80::1]".split(
    " ",
  ),
];
const PUBLIC = [
  ..."example.com 8.8.8.8 172.15.0.1 172.32.0.1 100.63.0.1 100.128.0.1 192.169.0.1 11.0.0.1".split(" "),
  ..."10.example.com 127.0.0.1.example.com local.example [2001:db8::1] [::2]".split(" "),
];

describe.each(SHELLS.map((argv) => ({ name: argv.join(" "), argv })))("install.sh in $name", ({ argv }) => {
  test("downloads over http only from the hosts that codexlb upgrade accepts", async () => {
    using box = machine(argv);
    // Without working downloaders, the test contacts no host.
    for (const program of ["curl", "wget"]) box.stub(program, "exit 1");
    for (const [hosts, isPrivate] of [
      [PUBLIC, false],
      [PRIVATE, true],
    ] as const)
      for (const host of hosts) {
        expect([host, isPrivateHost(host)]).toEqual([host, isPrivate]);
        for (const url of [`http://${host}/x`, `http://user:pw@${host}:80`]) {
          const ran = await box.install(["--from", url]);
          expect(ran.code).toBe(1);
          const isRefused = ran.err.includes(`is an http URL, and ${host} is not in a private network`);
          expect([url, isRefused]).toEqual([url, !isPrivate]);
          if (isRefused) expect(existsSync(join(box.home, ".local"))).toBe(false);
        }
      }
    expect((await box.install(["--from", "https://example.com"])).err).toContain("downloading https://");
  });

  test("never prints the password in a URL", async () => {
    using box = machine(argv);
    const from = ["--from", "https://user:secret@example.com/dir"];
    for (const curl of [
      "exit 1",
      // Respond with an empty SHA256SUMS.
      'while [ "$1" != -o ]; do shift; done; : >"$2"',
    ])
      for (const version of [[], ["--version", "1.2.3"]]) {
        box.stub("curl", curl);
        const ran = await box.install([...from, ...version]);
        expect([ran.code, ran.err.includes("https://example.com/dir")]).toEqual([1, true]);
        expect(ran.out + ran.err).not.toContain("secret");
      }
  });

  test("exits with 2 for arguments that contradict each other", async () => {
    using box = machine(argv);
    for (const [args, message] of [
      [["--from", "http://localhost/?x=1"], "the URL in --from must not contain ? or #"],
      [["--from", "https://example.com/#x"], "the URL in --from must not contain ? or #"],
      [["--uninstall", "--version", "1.0.0"], "leave out --version"],
    ] as const) {
      const ran = await box.install(args);
      expect([args, ran.code, ran.err.includes(message)]).toEqual([args, 2, true]);
    }
  });
});
