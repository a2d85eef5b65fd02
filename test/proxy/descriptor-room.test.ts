import { expect, test } from "bun:test";
import {
  createDescriptorRoom,
  type DescriptorShortage,
  type UsedConnections,
} from "../../src/proxy/descriptor-room.ts";
import type { Descriptors } from "../../src/state/descriptors.ts";

/**
 * A process that may open 128 files. From 96 on, connections are closed down to 80; from 112 on, requests are refused.
 */
const LIMIT = 128;

test("with room left, nothing is closed and no request is refused", () => {
  using room = roomWith(96);
  expect(room.closed).toEqual([]);
  expect(room.refusal()).toBeUndefined();
  expect(room.reports).toEqual([]);
});

test("silent connections are closed before old uploads; connections with a response and young uploads stay", () => {
  const old = new Map([
    [peer(20), performance.now() - 60_000],
    [peer(21), performance.now() - 90_000],
    [peer(22), performance.now()],
  ]);
  // Nearly all connections wait for a response, a few do not.
  const answering = new Set(
    Array.from({ length: 107 }, (_, index) => peer(index)).filter((_, at) => at > 22),
  );
  using room = roomWith(107, { answering, receiving: old }, 10);
  expect(room.closed).toEqual([21, 20, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  expect(room.reports).toMatchObject([{ open: 107, limit: LIMIT, closedConnections: 12 }]);
});

test("only as many connections are closed as necessary", () => {
  using room = roomWith(100, undefined, 10);
  expect(room.closed).toHaveLength(20);
});

test("when all connections are in use, requests are refused and no connection is closed", () => {
  const answering = new Set(Array.from({ length: LIMIT }, (_, index) => peer(index)));
  using room = roomWith(113, { answering, receiving: new Map() });
  expect(room.closed).toEqual([]);
  expect(room.refusal()).toMatchObject({
    code: "too_many_connections",
    status: 503,
    message: "too many connections: 113 of 128 file descriptors are in use",
  });
  room.setOpen(100);
  expect(room.refusal()).toBeUndefined();
});

test("requests between two checks count too", () => {
  using room = roomWith(96);
  room.setOpen(120);
  const refused = Array.from({ length: 16 }, () => room.refusal()).filter((one) => one !== undefined);
  expect(refused.length).toBeGreaterThan(7);
});

// --- internal ---

function peer(descriptor: number): string {
  return `10.0.0.1:${descriptor}`;
}

/**
 * A room after its first check of `count` open descriptors, of which those from `firstConnection` on are connections.
 */
function roomWith(
  count: number,
  used: UsedConnections = { answering: new Set(), receiving: new Map() },
  firstConnection = 0,
) {
  let open = count;
  const closed: number[] = [];
  const reports: DescriptorShortage[] = [];
  const descriptors: Descriptors = {
    limit: LIMIT,
    noneOpenBetween: (from) => () => open <= from,
    openBetween: (from, to) => Array.from({ length: Math.min(open, to) - from }, (_, index) => from + index),
    accepted: (_, candidates) =>
      candidates
        .filter((descriptor) => descriptor >= firstConnection)
        .map((descriptor) => ({ descriptor, peer: peer(descriptor) })),
    shutDown: (descriptor) => void closed.push(descriptor),
  };
  const room = createDescriptorRoom({
    descriptors,
    port: () => 1,
    used: () => used,
    report: (shortage) => void reports.push(shortage),
  });
  room.start();
  return {
    closed,
    reports,
    refusal: room.refusal,
    setOpen: (next: number) => {
      open = next;
    },
    [Symbol.dispose]: room.stop,
  };
}
