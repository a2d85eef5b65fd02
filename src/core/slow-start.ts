// How many requests an account may have under way after a cooldown: one probe first, then twice as many
// with each success, then as many as come. Holding back is a preference of the choice, never a reason to refuse.

/** Requests allowed at a time; undefined: no bound. */
export type Ramp = number | undefined;

/** With more than this many at a time it is an account as any other. */
const TOP = 4;

/** After `cooled` it starts with a probe, `served` widens it, `restored` (by the operator, by new credentials) ends it. */
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
