import { expect } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gated } from "../support/gated.ts";
import { whyNoRedis } from "../support/redis.ts";
import { FAULTS } from "./faults.ts";
import { type Outcome, runMatrix } from "./matrix.ts";
import { clusterFaultsPage, withoutTimes } from "./report.ts";
import { SITUATIONS } from "./situations.ts";

const { beforeAll, describe, test } = gated("failures of replicas and their server", whyNoRedis);
const PAGE = join(import.meta.dir, "..", "..", "docs", "cluster-faults.md");

describe("whatever fails, and whatever the replicas are doing", () => {
  let outcomes: Outcome[] = [];
  let before = "";

  beforeAll(async () => {
    before = readFileSync(PAGE, "utf8");
    outcomes = await runMatrix();
    const page = clusterFaultsPage(outcomes);
    // Differences in times alone must not change the repository.
    if (withoutTimes(page) !== withoutTimes(before)) writeFileSync(PAGE, page);
  }, 1_200_000);

  test("no client sees an error, no acknowledged change is lost, and the pool recovers", () => {
    expect(outcomes.length).toBe(FAULTS.length * SITUATIONS.length);
    expect(outcomes.flatMap(({ problem }) => problem ?? [])).toEqual([]);
  });

  test("the backend gets no refresh token twice", () => {
    const sent = outcomes.flatMap((one) => one.sent.map((token) => `${token} ${nameOf(one)}`));
    expect(sent.length).toBeGreaterThanOrEqual(FAULTS.length);
    expect(sent.filter((token, index) => sent.indexOf(token) !== index)).toEqual([]);
  });

  test("docs/cluster-faults.md matches the results (if it does not, this test rewrites it: review and commit it)", () => {
    expect(withoutTimes(before)).toBe(withoutTimes(clusterFaultsPage(outcomes)));
  });
});

/** The name of a cell. Tokens of different backends can be equal. */
function nameOf({ fault, situation }: Outcome): string {
  return `${fault.name}, ${situation.name}`;
}
