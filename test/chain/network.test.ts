// Tests children in networks of their own: the link to one of them is cut silently in the middle of a turn, and
// restored later. The test creates its own network namespaces and does not touch this machine's network.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { tempDirectory } from "../support/temp.ts";

const SCENARIO = join(import.meta.dir, "network", "scenario.ts");

function ip(...args: string[]): { readonly code: number; readonly err: string } {
  const ran = Bun.spawnSync(["ip", ...args], { stdout: "pipe", stderr: "pipe" });
  return { code: ran.exitCode, err: ran.stderr.toString().trim() };
}

const nameOf = (what: string) => `clb${process.pid}${what}`;

/** Why no network namespaces can be created here; undefined if they can. */
function obstacle(): string | undefined {
  if (Bun.which("ip") === null) return "there is no ip command (iproute2)";
  const probe = nameOf("probe");
  const made = ip("netns", "add", probe);
  if (made.code !== 0) return `ip netns add: ${made.err}`;
  const link = ip("-n", probe, "link", "add", "one", "type", "veth", "peer", "name", "two");
  ip("netns", "del", probe);
  return link.code === 0 ? undefined : `ip link add: ${link.err}`;
}

/** The namespaces `front`, `east` and `west`, and a link from the first to each of the others. */
function networks(): Disposable & { readonly front: string; readonly children: readonly string[] } {
  const [front, east, west] = [nameOf("front"), nameOf("east"), nameOf("west")];
  const all = [front, east, west];
  const link = (to: string, index: number) => [
    ["link", "add", `to${index}`, "netns", front, "type", "veth", "peer", "name", "eth0", "netns", to],
    // Documentation addresses (RFC 5737), which lead only into the namespace.
    ["-n", front, "addr", "add", `192.0.2.${index * 16 + 1}/28`, "dev", `to${index}`],
    ["-n", front, "link", "set", `to${index}`, "up"],
    ["-n", to, "addr", "add", `192.0.2.${index * 16 + 2}/28`, "dev", "eth0"],
    ["-n", to, "link", "set", "eth0", "up"],
  ];
  const steps = [
    ...all.map((name) => ["netns", "add", name]),
    ...all.map((name) => ["-n", name, "link", "set", "lo", "up"]),
    ...link(east, 0),
    ...link(west, 1),
  ];
  for (const step of steps) {
    const { code, err } = ip(...step);
    if (code !== 0) throw new Error(`ip ${step.join(" ")}: ${err}`);
  }
  return {
    front,
    children: [east, "192.0.2.2", west, "192.0.2.18"],
    [Symbol.dispose]: () => {
      for (const name of all) ip("netns", "del", name);
    },
  };
}

const why = obstacle();
if (why !== undefined) console.log(`skipped: proxies in networks of their own (${why})`);

describe.skipIf(why !== undefined)("proxies in networks of their own", () => {
  test("a link that is cut in the middle of a turn costs the client one resend, and works again later", async () => {
    using temp = tempDirectory();
    using made = networks();
    const argv = ["ip", "netns", "exec", made.front, process.execPath, SCENARIO, temp.path, ...made.children];
    const ran = Bun.spawn(argv, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
    const [out, err, code] = await Promise.all([ran.stdout.text(), ran.stderr.text(), ran.exited]);
    expect({ code, err: code === 0 ? "" : err }).toEqual({ code: 0, err: "" });
    expect(JSON.parse(out)).toEqual({
      first: "alice",
      cut: "cut",
      resent: "bob",
      afterwards: expect.stringMatching(/alice|bob/),
    });
  });
});
