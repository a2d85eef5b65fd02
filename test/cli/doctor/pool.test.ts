// What `codexlb doctor` advises if no account of a pool can serve, or if a replica cannot use its pool.

import { expect, test } from "bun:test";
import { examineStatus } from "../../../src/cli/doctor/pool.ts";
import { StatusAnswer } from "../../../src/core/status-schema.ts";
import { NOW, THREE } from "../../support/status-documents.ts";

const [account] = THREE.accounts;
const DISABLED = { ...account, alias: "alice", enabled: false, disabled_reason: "operator" };
const EXPIRED = { ...account, alias: "carol", enabled: false, disabled_reason: "refresh-token-expired" };
const EXHAUSTED = { ...account, alias: "bob", cooldown_reason: "usage-limit", cooldown_seconds: 3600 };

const poolOf = (...accounts: readonly object[]) =>
  examineStatus(StatusAnswer.parse({ ...THREE, accounts }), NOW).find(({ check }) => check === "pool");

test("an account that the user disabled is enabled first, then an expired login is renewed, then codexlb waits", () => {
  expect(poolOf(EXHAUSTED, EXPIRED, DISABLED)).toMatchObject({
    status: "bad",
    remedy: "run: codexlb account enable alice",
  });
  expect(poolOf(EXHAUSTED, EXPIRED)?.remedy).toBe("run: codexlb account login carol");
  expect(poolOf(EXHAUSTED)?.remedy).toStartWith("wait until then, or add an account");
});

test("accounts of child proxies are not changed by a command for this proxy", () => {
  expect(poolOf({ ...DISABLED, proxy_name: "laptop2" })?.remedy).toBe(
    "for what to do about each account, see: codexlb status",
  );
});

test.each([
  ["cluster_unreachable", "restore the connection to the server; the replica reconnects by itself"],
  [
    "cluster_refused",
    "correct the problem as described; the replica tries again every few seconds, without a restart",
  ],
  [
    "same_replica_twice",
    "let one of the two leave the pool as described; the other one reconnects by itself",
  ],
])("the remedy for a replica with %s", (error_code, remedy) => {
  const about = { pool: "team", replica: "r1", pending: 0, degraded_since_ms: NOW, error: "why; next" };
  const status = StatusAnswer.parse({ ...THREE, cluster: { ...about, error_code } });
  expect(examineStatus(status, NOW).find(({ check }) => check === "replica")).toMatchObject({
    detail: expect.stringMatching(/: why; next; the replica \S+ still serves, but renews no login$/),
    remedy,
  });
});
