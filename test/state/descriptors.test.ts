import { describe, expect, test } from "bun:test";
import { closeSync, openSync } from "node:fs";
import { connect } from "node:net";
import { peerKey, systemDescriptors } from "../../src/state/descriptors.ts";

describe("the descriptors of this process", () => {
  const descriptors = systemDescriptors();

  test("count as open from opening to closing", () => {
    const descriptor = openSync("/", "r");
    const noneOpen = descriptors.noneOpenBetween(descriptor, descriptor + 1);
    expect(noneOpen()).toBe(false);
    expect(descriptors.openBetween(0, descriptor + 1)).toContain(descriptor);
    closeSync(descriptor);
    expect(noneOpen()).toBe(true);
    expect(descriptors.openBetween(0, descriptor + 1)).not.toContain(descriptor);
  });

  test.each([
    ["127.0.0.1", "127.0.0.1"],
    ["::1", "::1"],
    ["::", "127.0.0.1"],
    ["::", "::1"],
  ])(
    "of a server on %s show a client from %s, and shutting its connection down ends it",
    async (hostname, from) => {
      const peers: string[] = [];
      await using server = Bun.serve({
        hostname,
        port: 0,
        fetch: (request, self) => {
          const peer = self.requestIP(request);
          if (peer !== null) peers.push(peerKey(peer.address, peer.port));
          return new Response("hello");
        },
      });
      const port = server.port ?? 0;
      const client = connect(port, from);
      const answered = new Promise((resolve) => client.once("data", resolve));
      const ended = new Promise((resolve) => client.once("close", resolve));
      client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      await answered;
      const accepted = descriptors.accepted(port, descriptors.openBetween(0, 1_024));
      expect(accepted.map(({ peer }) => peer)).toEqual(peers);
      for (const { descriptor } of accepted) descriptors.shutDown(descriptor);
      await ended;
      expect(descriptors.accepted(port, descriptors.openBetween(0, 1_024))).toEqual([]);
    },
  );
});

test.each([
  ["10.0.0.1", "10.0.0.1:9"],
  ["::ffff:10.0.0.1", "10.0.0.1:9"],
  ["2001:DB8:0:0:0:0:0:1", "[2001:db8::1]:9"],
  ["fe80::1%eth0", "[fe80::1]:9"],
])("a peer at %s is %s", (address, key) => {
  expect(peerKey(address, 9)).toBe(key);
});
