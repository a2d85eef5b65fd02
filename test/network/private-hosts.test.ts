import { expect, test } from "bun:test";
import { isLoopbackHost, isPrivateHost } from "../../src/network/private-hosts.ts";

const LOOPBACK = [
  "localhost",
  "LOCALHOST.",
  "app.localhost",
  "127.0.0.1",
  "127.8.8.8",
  "[::1]",
  "[::ffff:7f00:1]",
];
const PRIVATE = [
  ...["10.0.0.5", "172.16.0.1", "172.31.255.1", "192.168.1.1", "169.254.1.1", "100.64.0.1", "100.127.0.1"],
  ...[
    "[fd12::1]",
    "[fe80::1]",
    "[::ffff:a00:5]",
    "build",
    "build.",
    "nas.local",
    "lb.internal",
    "x.lan",
    "x.home.arpa",
  ],
];
const PUBLIC = [
  ...[
    "chatgpt.com",
    "lb.corp.example",
    "172.32.0.1",
    "100.128.0.1",
    "8.8.8.8",
    "[2001:db8::1]",
    "[::ffff:808:808]",
  ],
  ...["internal.example", "local.example.", "10.example.com"],
];

test.each(LOOPBACK)("%s is this machine", (host) => {
  expect([isLoopbackHost(host), isPrivateHost(host)]).toEqual([true, true]);
});
test.each(PRIVATE)("%s is private, and not this machine", (host) => {
  expect([isLoopbackHost(host), isPrivateHost(host)]).toEqual([false, true]);
});
test.each(PUBLIC)("%s is public", (host) => {
  expect([isLoopbackHost(host), isPrivateHost(host)]).toEqual([false, false]);
});
