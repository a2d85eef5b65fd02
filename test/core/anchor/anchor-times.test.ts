import { describe, expect, test } from "bun:test";
import {
  dueMoment,
  LATE_MS,
  localMoments,
  staggerMs,
  type TimeOfDay,
  timeOfDay,
  timeText,
  tooClose,
} from "../../../src/core/anchor/anchor-times.ts";

const HOUR_MS = 3_600_000;

function times(...texts: string[]): TimeOfDay[] {
  return texts.map((text) => timeOfDay(text)).filter((time) => time !== undefined);
}

test("a time of the day has hours and minutes", () => {
  expect(timeOfDay("07:05")).toEqual({ hours: 7, minutes: 5 });
  expect(timeOfDay(" 23:59 ")).toEqual({ hours: 23, minutes: 59 });
  for (const text of ["", "7", "24:00", "12:60", "12:5", "noon", "-1:00", "07:00:00"])
    expect(timeOfDay(text)).toBeUndefined();
  expect(timeText({ hours: 7, minutes: 5 })).toBe("07:05");
});

test("moments are those of yesterday and today in the local calendar", () => {
  const noon = new Date(2026, 2, 1, 12).getTime();
  expect(localMoments(times("07:30"), noon)).toEqual([
    new Date(2026, 1, 28, 7, 30).getTime(),
    new Date(2026, 2, 1, 7, 30).getTime(),
  ]);
});

test("an account is due from its moment on, for an hour, and for the latest moment", () => {
  expect(dueMoment([1_000], 999)).toBeUndefined();
  expect(dueMoment([1_000], 1_000)).toBe(1_000);
  expect(dueMoment([1_000, 2_000], 2_500)).toBe(2_000);
  expect(dueMoment([1_000], 1_000 + LATE_MS)).toBeUndefined();
});

test("staggered accounts are spread evenly over a window", () => {
  const places = [0, 1, 2, 3, 4].map((rank) => staggerMs({ rank, count: 5 }, 5 * HOUR_MS));
  expect(places).toEqual([0, HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS, 4 * HOUR_MS]);
  expect(staggerMs({ rank: 0, count: 0 }, HOUR_MS)).toBe(0);
});

describe("times that are too close", () => {
  const shown = (...texts: string[]) =>
    tooClose(times(...texts), 5 * HOUR_MS).map(
      ({ time, after }) => `${timeText(time)} after ${timeText(after)}`,
    );

  test("are those within the window of the time before", () => {
    expect(shown("07:00")).toEqual([]);
    expect(shown("07:00", "12:00", "17:00")).toEqual([]);
    expect(shown("09:00", "07:00")).toEqual(["09:00 after 07:00"]);
    // 13:00 is after the window that begins at 07:00, although 09:00 is between them.
    expect(shown("07:00", "09:00", "13:00")).toEqual(["09:00 after 07:00"]);
  });

  test("include the first one, if the window of the last one still runs on the next day", () => {
    expect(shown("01:00", "22:00")).toEqual(["01:00 after 22:00"]);
  });
});
