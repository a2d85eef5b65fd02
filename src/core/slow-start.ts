// How many requests an account may have in flight after a cooldown: one probe first, twice as many after each success,
// and finally no bound. The bound makes the policies prefer other accounts; it is never a reason to refuse a request.

/** Requests allowed at the same time; undefined: no bound. */
export type Ramp = number | undefined;

/** The largest bound; beyond it there is none. */
const TOP = 4;

/** The bound after `event`: `cooled` starts it with a probe, `served` doubles it, `restored` (by the operator or by new credentials) ends it. */
export function rampAfter(ramp: Ramp, event: "cooled" | "served" | "restored"): Ramp {
  switch (event) {
    case "cooled":
      return 1;
    case "served":
      return ramp === undefined || ramp >= TOP ? undefined : ramp * 2;
    case "restored":
      return undefined;
    default:
      return event satisfies never;
  }
}
