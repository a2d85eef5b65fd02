// Tests the benchmark's table of bounds, and its verdicts.

import { describe, expect, test } from "bun:test";
import { FIGURES } from "../../scripts/bench/figures.ts";
import { boundText, judge } from "../../scripts/bench/judge.ts";
import { addedToDirect, reportFigure } from "../../scripts/bench/report.ts";

const figure = (id: string) => {
  const found = FIGURES.find((one) => one.id === id);
  if (found === undefined) throw new Error(id);
  return found;
};

describe("a figure", () => {
  test("misses a bound if its median exceeds it", () => {
    const samples = { codexlb: [9, 2.1, 2.01], floor: [1, 1, 50] };
    expect(judge(figure("a.cpu"), samples)).toEqual({
      value: 2.1,
      ratio: { value: 2.1, of: "floor" },
      must: "MISSED",
      stretch: "MISSED",
    });
  });

  test("meets a bound that it equals", () => {
    const verdicts = judge(figure("a.cpu"), { codexlb: [2], floor: [1] });
    expect(verdicts).toMatchObject({ must: "met", stretch: "MISSED" });
    expect(judge(figure("a.cpu"), { codexlb: [1.6], floor: [1] }).stretch).toBe("met");
    expect(judge(figure("g.idle"), { codexlb: [50] }).must).toBe("met");
    expect(judge(figure("g.idle"), { codexlb: [50.1] }).must).toBe("MISSED");
  });

  test("can have a bound on a difference", () => {
    const delay = figure("c.delayP99");
    expect(boundText(delay.must)).toBe("<= floor + 1.5");
    expect(judge(delay, { codexlb: [3.4], floor: [2] }).must).toBe("met");
    expect(judge(delay, { codexlb: [3.6], floor: [2] }).must).toBe("MISSED");
  });

  test("is not judged without the figure that its bound refers to", () => {
    expect(judge(figure("e.turn"), { codexlb: [2], floor: [1] })).toMatchObject({
      ratio: { value: 2, of: "floor" },
      must: "not judged",
    });
    expect(judge(figure("e.turn"), { codexlb: [7], baseline: [10] }).must).toBe("MISSED");
    expect(judge(figure("e.turn"), { codexlb: [6], baseline: [10] }).must).toBe("met");
  });

  test("misses its bound if it is not a number", () => {
    expect(judge(figure("g.idle"), { codexlb: [Number.NaN] }).must).toBe("MISSED");
  });

  test("is reported with its verdict and with its difference to direct", () => {
    const samples = { codexlb: [0.5], floor: [0.3], direct: [0.1] };
    const text = reportFigure(figure("c.delayP50"), samples);
    expect(text).toContain("codexlb 0.50   floor 0.30   direct 0.10");
    expect(text).toContain("added to direct: codexlb 0.40   floor 0.20");
    expect(text).toContain("must <= floor + 0.1: MISSED");
    expect(addedToDirect({ codexlb: [1] })).toEqual([]);
  });
});

test("every row has figures with unique names", () => {
  expect([...new Set(FIGURES.map(({ row }) => row))].join("")).toBe("abcdefghijklmn");
  expect(new Set(FIGURES.map(({ id }) => id)).size).toBe(FIGURES.length);
});

test("the bounds have their agreed values", () => {
  const bounds = FIGURES.filter(({ must }) => must !== undefined).map(({ id, must }) => [
    id,
    boundText(must),
  ]);
  expect(Object.fromEntries(bounds)).toEqual({
    "a.cpu": "<= 2 x floor",
    "b.cpu": "<= 2 x floor",
    "c.cpu": "<= 1.6 x floor",
    "c.delayP50": "<= floor + 0.1",
    "c.delayP99": "<= floor + 1.5",
    "c.firstP50": "<= 2 x floor",
    "e.turn": "<= 0.6 x baseline",
    "g.idle": "<= 50",
    "g.socket": "<= 1.25 x floor",
    "g.stream": "<= 1.25 x floor",
    "h.kept": "<= 1.1 x reference",
    "h.fresh": "<= 1.1 x reference",
    "i.second": "<= 1 x reference",
    "i.third": "<= 1 x reference",
    "j.version": "<= 1.3 x reference",
    "j.status": "<= 1.3 x reference",
    "k.failoverP50": "<= 2",
    "l.sse": "<= 1.05 x reference",
    "l.websocket": "<= 1.05 x reference",
    "m.day": "<= 200",
    "m.account": "<= 200",
    "m.model": "<= 200",
    "m.project": "<= 200",
    "m.session": "<= 200",
    "m.key": "<= 200",
    "m.proxy": "<= 200",
    "n.cpu": "<= 1.1 x reference",
    "n.commands": "<= 50",
  });
});
