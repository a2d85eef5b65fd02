// What may be used in the coming hours. Each path is one possible future: the present pace continues for a while, and
// then come days like those of the past, chosen at random, workdays for workdays. So a path has nights and weekends if
// the past had some, and the paths differ as much as the days of the past did.

import { startOfDay } from "../local-days.ts";
import { HOUR_MS, type HourlyUse } from "./meter-history.ts";
import { normal, type Random } from "./random.ts";

/** The past use of several meters that are forecast together. */
export interface DemandHistory {
  readonly meters: readonly HourlyUse[];
  /** From when on the use is known, Unix ms. */
  readonly sinceMs: number;
}

/** The past, prepared for drawing paths. */
export interface DemandModel {
  /** Points per hour of each meter at present, as the last hour and as the last hours show it. */
  readonly recentRates: readonly (readonly number[])[];
  /** Points per hour of each meter in the last weeks. */
  readonly meanRates: readonly number[];
  /** The number of complete days of the past, and from which of them a workday and a day of the weekend are drawn. */
  readonly days: number;
  readonly workdays: DayChoice;
  readonly weekends: DayChoice;
  /** The coming hours. The first one contains the present. */
  readonly slots: readonly Slot[];
}

/** The points per hour of each meter in each of the coming hours. */
export type DemandPath = readonly Float64Array[];

/** The model at `nowMs` for the next `hours` hours. */
export function demandModel(history: DemandHistory, nowMs: number, hours: number): DemandModel {
  const { meters, sinceMs } = history;
  const meanRates = meters.map(
    (meter) => decayedRate(meter, { sinceMs, nowMs, halfLifeHours: MEAN_HALF_LIFE_HOURS }) ?? 0,
  );
  const days = pastDays(history, meanRates, nowMs);
  return {
    recentRates: RECENT_HALF_LIVES.map((halfLifeHours) =>
      meters.map(
        (meter, index) => decayedRate(meter, { sinceMs, nowMs, halfLifeHours }) ?? meanRates[index] ?? 0,
      ),
    ),
    meanRates,
    days: days.length,
    workdays: choiceOf(days, false),
    weekends: choiceOf(days, true),
    slots: slotsFrom(nowMs, hours),
  };
}

/** Which part of a history a rate is from. */
export interface RateOptions {
  readonly sinceMs: number;
  readonly nowMs: number;
  /** An hour counts half as much as one that is this much later. */
  readonly halfLifeHours: number;
  /** How long the account must have served, in hours that count as much as the present one. Default: five minutes. */
  readonly leastOpenHours?: number;
}

/** Points per hour of `meter` while the account could serve; undefined if it could for less than `leastOpenHours`. */
export function decayedRate(
  { points, closed }: HourlyUse,
  { sinceMs, nowMs, halfLifeHours, leastOpenHours = LEAST_OPEN_HOURS }: RateOptions,
): number | undefined {
  const now = Math.floor(nowMs / HOUR_MS);
  const first = Math.max(Math.floor(sinceMs / HOUR_MS), now - Math.ceil(halfLifeHours * MOST_HALF_LIVES));
  let used = 0;
  let open = 0;
  for (let hour = first; hour <= now; hour++) {
    const from = Math.max(sinceMs, hour * HOUR_MS);
    const to = Math.min(nowMs, (hour + 1) * HOUR_MS);
    const weight = 2 ** ((hour - now) / halfLifeHours);
    used += weight * (points.get(hour) ?? 0);
    open += weight * Math.max(0, (to - from) / HOUR_MS - (closed.get(hour) ?? 0));
  }
  return open < leastOpenHours ? undefined : used / open;
}

/** One possible future. */
export function drawPath(model: DemandModel, random: Random): DemandPath {
  const { recentRates, meanRates, slots } = model;
  const path = meanRates.map(() => new Float64Array(slots.length));
  const pace = recentRates[Math.floor(random() * recentRates.length)] ?? [];
  const presentHours = -PRESENT_HALF_LIFE_HOURS * Math.log2(1 - random());
  const presentLevel = Math.exp(PRESENT_SPREAD * normal(random));
  const level = Math.exp(levelSpread(model.days) * normal(random));
  const days: (PastDay | undefined)[] = [];
  for (const { day, isWeekend } of slots)
    if (day === days.length) days.push(drawDay(isWeekend ? model.weekends : model.workdays, random));
  for (const [meter, rates] of path.entries()) {
    const mean = meanRates[meter] ?? 0;
    const atPresent = presentLevel * (pace[meter] ?? 0);
    for (let index = 0; index < slots.length; index++) {
      const slot = slots[index] as Slot;
      const later = level * (days[slot.day]?.rates[meter]?.[slot.hourOfDay] ?? mean);
      // The hour in which the present pace ends has a part of both.
      const present = Math.min(1, Math.max(0, presentHours - index));
      rates[index] = present * atPresent + (1 - present) * later;
    }
  }
  return path;
}

// --- internal ---

/** The pace of the moment continues for two hours as often as not. */
const PRESENT_HALF_LIFE_HOURS = 2;
const RECENT_HALF_LIVES = [0.5, 2] as const;
const MEAN_HALF_LIFE_HOURS = 7 * 24;
/** From less, a few turns would look like a pace. */
const LEAST_OPEN_HOURS = 5 / 60;
/** If the account could not serve for most of an hour, its use in that hour is unknown. */
const MOST_CLOSED = 0.5;
/** Hours that count less than a thousandth are left out. */
const MOST_HALF_LIVES = 10;
/** An older day is chosen half as often as one that is a week later. */
const DAY_HALF_LIFE = 7;

// The spreads are those of logarithms: 0.3 means that two thirds of the paths are within a factor of 1.35. They were
// chosen so that the intervals have their share of hits (test/core/forecast/calibration.test.ts).
const PRESENT_SPREAD = 0.6;
/** The level of the coming days is known no better than this, and worse after few days. */
const LEVEL_SPREAD = 0.25;
const FIRST_DAY_SPREAD = 0.8;

function levelSpread(days: number): number {
  return Math.hypot(LEVEL_SPREAD, FIRST_DAY_SPREAD / Math.sqrt(Math.max(1, days)));
}

interface PastDay {
  readonly isWeekend: boolean;
  /** How often it is chosen. */
  readonly weight: number;
  /** Points in each of 24 hours, for each meter. */
  readonly rates: readonly Float64Array[];
}

/** Days of the past from which one is drawn. */
interface DayChoice {
  readonly days: readonly PastDay[];
  /** The sum of their weights. */
  readonly weight: number;
}

/** The days of the right kind; all days if there is none of it. */
function choiceOf(days: readonly PastDay[], isWeekendDay: boolean): DayChoice {
  const alike = days.filter((day) => day.isWeekend === isWeekendDay);
  const choice = alike.length > 0 ? alike : days;
  return { days: choice, weight: sumOf(choice.map(({ weight }) => weight)) };
}

/** One of the coming hours, in local time. */
interface Slot {
  /** 0: today. */
  readonly day: number;
  readonly hourOfDay: number;
  readonly isWeekend: boolean;
}

function slotsFrom(nowMs: number, hours: number): Slot[] {
  const slots: Slot[] = [];
  const first = Math.floor(nowMs / HOUR_MS) * HOUR_MS;
  let day = -1;
  let endMs = Number.NEGATIVE_INFINITY;
  let beganMs = 0;
  for (let index = 0; index < hours; index++) {
    const atMs = first + index * HOUR_MS;
    if (atMs >= endMs) {
      day++;
      beganMs = startOfDay(atMs);
      endMs = startOfDay(atMs, 1);
    }
    slots.push({ day, hourOfDay: hourOfDay(atMs, beganMs), isWeekend: isWeekend(beganMs) });
  }
  return slots;
}

/** The days between `sinceMs` and today of which every hour is known. */
function pastDays(
  { meters, sinceMs }: DemandHistory,
  meanRates: readonly number[],
  nowMs: number,
): PastDay[] {
  const days: PastDay[] = [];
  let endMs = startOfDay(nowMs);
  for (let ago = 1; ; ago++) {
    const beganMs = startOfDay(nowMs, -ago);
    if (beganMs < sinceMs) break;
    const rates = meters.map((meter) => ratesOfDay(meter, beganMs, endMs));
    days.push({ isWeekend: isWeekend(beganMs), weight: 2 ** (-ago / DAY_HALF_LIFE), rates });
    endMs = beganMs;
  }
  for (const meter of meters.keys()) fillUnknown(days, meter, meanRates[meter] ?? 0);
  return days;
}

/** The points per hour of one day; NaN where they are unknown. */
function ratesOfDay({ points, closed }: HourlyUse, beganMs: number, endMs: number): Float64Array {
  const rates = new Float64Array(24);
  for (let hour = Math.floor(beganMs / HOUR_MS); hour * HOUR_MS < endMs; hour++) {
    const share = closed.get(hour) ?? 0;
    const used = points.get(hour) ?? 0;
    rates[hourOfDay(hour * HOUR_MS, beganMs)] = share > MOST_CLOSED ? Number.NaN : used / (1 - share);
  }
  return rates;
}

/** Replaces unknown hours by the mean of the same hour on other days, or else by `meanRate`. */
function fillUnknown(days: readonly PastDay[], meter: number, meanRate: number): void {
  for (const isWeekendDay of [false, true]) {
    const rates = days
      .filter((day) => day.isWeekend === isWeekendDay)
      .flatMap((day) => day.rates[meter] ?? []);
    for (let hour = 0; hour < 24; hour++) {
      const known = rates.map((day) => day[hour] ?? Number.NaN).filter((rate) => !Number.isNaN(rate));
      const mean = known.length === 0 ? meanRate : sumOf(known) / known.length;
      for (const day of rates) if (Number.isNaN(day[hour])) day[hour] = mean;
    }
  }
}

/** 0..23, also on the day that has 25 hours. */
function hourOfDay(atMs: number, beganMs: number): number {
  return Math.min(23, Math.max(0, Math.floor((atMs - beganMs) / HOUR_MS)));
}

function isWeekend(beganMs: number): boolean {
  const weekday = new Date(beganMs).getDay();
  return weekday === 0 || weekday === 6;
}

/** A day of the past; undefined if there is none. */
function drawDay({ days, weight }: DayChoice, random: Random): PastDay | undefined {
  let at = random() * weight;
  for (const day of days) {
    at -= day.weight;
    if (at < 0) return day;
  }
  return days.at(-1);
}

function sumOf(values: Iterable<number>): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}
