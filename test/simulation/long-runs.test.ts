import { describe, expect, test } from "bun:test";
import { table } from "../../src/cli/terminal/table.ts";
import { parseConfig } from "../../src/state/config.ts";
import { newConfigText } from "../../src/state/config-text.ts";
import { type AnchorLine, anchorRows } from "./compare-anchoring.ts";
import { type DefaultLine, defaultRows, servedOf } from "./compare-defaults.ts";
import { type OptionLine, optionRows } from "./compare-options.ts";
import { spendingRows } from "./compare-spending.ts";
import { LONG_SIZES, runLong, SHORT_SIZES, storedLongRuns } from "./long-runs.ts";

const stored = storedLongRuns();
const isShort = ({ accounts }: { readonly accounts: number }) =>
  (SHORT_SIZES as readonly number[]).includes(accounts);

test("a run of the small simulations gives the stored figures (run make simulate)", () => {
  console.log(table(defaultRows(stored.defaults)));
  console.log(table(optionRows(stored.options)));
  console.log(table(spendingRows(stored.spending)));
  console.log(table(anchorRows(stored.anchoring)));
  expect(runLong(SHORT_SIZES)).toEqual({
    defaults: stored.defaults.filter(isShort),
    options: stored.options.filter(isShort),
    spending: stored.spending.filter(isShort),
    anchoring: stored.anchoring.filter(isShort),
  });
});

describe("the default policy", () => {
  const pairs = LONG_SIZES.flatMap((accounts) => {
    const lines = stored.defaults.filter((one) => one.accounts === accounts);
    const of = (policy: DefaultLine["policy"]) => lines.filter((one) => one.policy === policy);
    return of("usage_balanced").map((balanced, index) => {
      const aware = of("reset_aware")[index];
      if (aware === undefined) throw new Error(`no line of reset_aware with ${accounts} accounts`);
      return { accounts, work: balanced.work, load: balanced.load, balanced, aware };
    });
  });
  const allDay = pairs.filter(({ work }) => work === "7-23, every day");
  const office = pairs.filter(({ work }) => work === "9-17, 5 days");

  test("refuses no turn with room, nor does reset_aware", () => {
    expect([allDay.length, office.length]).toEqual([4 * LONG_SIZES.length, 2 * LONG_SIZES.length]);
    for (const { accounts, policy, work, load, refusedWithRoom } of stored.defaults)
      expect([accounts, policy, work, load, refusedWithRoom]).toEqual([accounts, policy, work, load, 0]);
  });

  test("is usage_balanced, also in a new config.toml and in one without the key", () => {
    const modeIn = (text: string) => parseConfig(text, "config.toml").config.policy.mode;
    expect(modeIn(newConfigText("p"))).toBe("usage_balanced");
    expect(modeIn("[policy]\ndelta_percent = 20\n")).toBe("usage_balanced");
  });

  test("serves at least as many turns as reset_aware in eight-hour working days", () => {
    for (const { balanced, aware } of office)
      expect(servedOf(balanced)).toBeGreaterThanOrEqual(servedOf(aware));
  });

  test("serves all turns while there is quota, with fewer moves than reset_aware, which leaves less unused", () => {
    for (const { balanced, aware } of allDay.filter(({ load }) => load <= 0.75)) {
      expect([balanced.refused, aware.refused]).toEqual([0, 0]);
      expect(balanced.moves).toBeLessThan(aware.moves);
      expect(balanced.wasted).toBeGreaterThan(aware.wasted);
    }
  });

  test("serves fewer turns than reset_aware only if nearly all quota of three or more accounts is needed", () => {
    for (const { balanced, aware } of allDay.filter(({ load, accounts }) => load > 0.75 && accounts >= 3)) {
      const gain = servedOf(aware) / servedOf(balanced) - 1;
      expect(gain).toBeGreaterThan(0.005);
      expect(gain).toBeLessThan(0.05);
    }
  });
});

describe("credits, and limits of single models", () => {
  test("cause no refusal with room, and no credit is spent while figures show quota above the floors", () => {
    expect(stored.spending.length).toBe(LONG_SIZES.length * 6);
    for (const { accounts, setting, refusedWithRoom, creditsWithQuota } of stored.spending)
      expect([accounts, setting, refusedWithRoom, creditsWithQuota]).toEqual([accounts, setting, 0, 0]);
  });

  test("serve turns that would otherwise be refused", () => {
    for (const accounts of LONG_SIZES) {
      const of = (setting: string) =>
        stored.spending.find((one) => one.accounts === accounts && one.setting === setting);
      const [none, all] = [of("no credits"), of("all have credits")];
      expect(none?.onCredits).toBe(0);
      expect(all?.onCredits).toBeGreaterThan(0);
      expect(all?.refused).toBeLessThan(none?.refused ?? 0);
    }
  });
});

describe("priorities and floors", () => {
  const of = (accounts: number, setting: string): OptionLine => {
    const found = stored.options.find((one) => one.accounts === accounts && one.setting === setting);
    if (found === undefined) throw new Error(`no line for ${setting} with ${accounts} accounts`);
    return found;
  };

  test("refuse no turn with room, and no floor is crossed while another account has room", () => {
    expect(stored.options.length).toBe(LONG_SIZES.length * 7);
    for (const { setting, turns, refusedWithRoom, crossedWithRoom } of stored.options) {
      expect(turns).toBeGreaterThan(1_000);
      expect([setting, refusedWithRoom, crossedWithRoom]).toEqual([setting, 0, 0]);
    }
  });

  test("a floor that is never spent leaves that much of the week, and a priority attracts turns", () => {
    for (const accounts of LONG_SIZES) {
      expect(of(accounts, "the same, never spent").leastOfFirst).toBeGreaterThan(0.2);
      expect(of(accounts, "first: priority 1").onFirst).toBeGreaterThan(of(accounts, "none").onFirst);
      expect(of(accounts, "first: priority -1").onFirst).toBeLessThan(of(accounts, "none").onFirst);
    }
  });
});

describe("anchoring", () => {
  const linesOf = (accounts: number, work: string): AnchorLine[] =>
    stored.anchoring.filter((one) => one.accounts === accounts && one.work === work);
  const refusedIn = (accounts: number, work: string, anchored: string): number => {
    const found = linesOf(accounts, work).find((one) => one.anchored === anchored);
    if (found === undefined) throw new Error(`no line for ${work} with ${accounts} accounts`);
    return found.refused;
  };

  test("refuses no turn with room", () => {
    expect(stored.anchoring.length).toBe(LONG_SIZES.length * 13);
    for (const { work, anchored, refusedWithRoom } of stored.anchoring)
      expect([work, anchored, refusedWithRoom]).toEqual([work, anchored, 0]);
  });

  test("refuses fewer turns in short working days, staggered or with resets in the middle of the day", () => {
    const gains = [
      ["9-17, 5 days", "07:00, staggered"],
      ["9-17, 5 days", "08:00, all"],
      ["9-17, 5 days, monthly windows", "07:00, staggered"],
      ["9-17, 5 days, monthly windows", "08:00, all"],
      ["19-23, 5 days", "16:00, all"],
    ] as const;
    for (const accounts of LONG_SIZES)
      for (const [work, anchored] of gains)
        expect(refusedIn(accounts, work, anchored)).toBeLessThan(refusedIn(accounts, work, "never"));
  });

  test("sends at most one turn for each account and day, and none without it", () => {
    for (const { accounts, anchored, anchors } of stored.anchoring)
      if (anchored === "never") expect(anchors).toBe(0);
      else expect(anchors).toBeLessThanOrEqual(accounts * 28);
  });
});
