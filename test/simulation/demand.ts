// When the sessions of a simulation begin, and how many turns they have.

import { DAY_MS, HOUR_MS, WARM_COST, WEEK_LIMIT } from "./world.ts";

/** When people work. */
export interface WorkingTime {
  /** Sessions begin between these hours, most of them in the middle. */
  readonly fromHour: number;
  readonly toHour: number;
  /** The number of working days in a week, which begins on Monday. */
  readonly daysInWeek: number;
}

export interface Demand {
  readonly accounts: number;
  readonly days: number;
  /** The demand, as a share of the quota of all accounts. */
  readonly load: number;
  /** Default: from 7 to 23 o'clock, every day. */
  readonly working?: WorkingTime;
}

export interface Session {
  readonly atMs: number;
  readonly turns: number;
}

export const ALL_DAY: WorkingTime = { fromHour: 7, toHour: 23, daysInWeek: 7 };
export const OFFICE: WorkingTime = { fromHour: 9, toHour: 17, daysInWeek: 5 };
const MOST_TURNS_IN_SESSION = 60;

/** The sessions from `startMs` (midnight of a Monday) on, as many as make up the demand. */
export function sessionsOf(
  { accounts, days, load, working = ALL_DAY }: Demand,
  startMs: number,
  random: () => number,
): Session[] {
  const wanted = (accounts * WEEK_LIMIT * days * load) / 7 / WARM_COST;
  const { fromHour, toHour, daysInWeek } = working;
  const workingDays = (days * daysInWeek) / 7;
  const sessions: Session[] = [];
  for (let turns = 0; turns < wanted; ) {
    const length = 1 + Math.floor(random() ** 2 * MOST_TURNS_IN_SESSION);
    // The mean of two random numbers puts most sessions around the middle of the day.
    const hour = fromHour + ((random() + random()) / 2) * (toHour - fromHour);
    const workingDay = Math.floor(random() * workingDays);
    const day = Math.floor(workingDay / daysInWeek) * 7 + (workingDay % daysInWeek);
    sessions.push({ atMs: startMs + day * DAY_MS + hour * HOUR_MS, turns: length });
    turns += length;
  }
  return sessions;
}
