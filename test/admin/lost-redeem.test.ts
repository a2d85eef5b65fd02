// What a command reports if the proxy does not answer while it spends a reset credit.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { remoteAccounts } from "../../src/admin/client.ts";
import { socketDoor } from "../../src/admin/door.ts";
import { outcome } from "../support/outcome.ts";
import { type TempDirectory, tempDirectory } from "../support/temp.ts";

let temp: TempDirectory;
beforeAll(() => {
  temp = tempDirectory();
});
afterAll(() => temp[Symbol.dispose]());

test("if the connection breaks after the request, the outcome is unknown", async () => {
  const path = join(temp.path, "closing.sock");
  const listener = Bun.listen({
    unix: path,
    socket: { data: (socket) => void socket.terminate() },
  });
  try {
    expect(await outcome(remoteAccounts(socketDoor(path)).redeem("alice"))).toThrow(
      expect.objectContaining({
        code: "redeem_uncertain",
        message: `spending a reset credit of alice: contacting the proxy at ${path}: connection reset by peer; it is unknown whether the credit was spent`,
        next: "repeat the request with: codexlb account redeem alice (that cannot spend a second credit)",
      }),
    );
  } finally {
    listener.stop(true);
  }
});

test("if no proxy could be reached, nothing was sent", async () => {
  const path = join(temp.path, "missing.sock");
  expect(await outcome(remoteAccounts(socketDoor(path)).redeem("alice"))).toThrow(
    expect.objectContaining({
      code: "proxy_unreachable",
    }),
  );
});
