// The report of `codexlb simulate` in words. Pure.

import { counted } from "../count-words.ts";
import { durationText } from "../duration-text.ts";
import { dayOf } from "../local-days.ts";
import { PLAN_SIZES_AS_OF } from "../plan-sizes.ts";
import { shortDate, timeOfDay, weekdayOf } from "../time-words.ts";
import { OWN_PRICES_NOTE } from "../usage-words.ts";
import type { RefusedSpan, Scenario, ScenarioReport, SimulationReport } from "./simulation-report.ts";

/** `all`, `without bob`, `+plus`, `without bob, +plus`. */
export function accountsWords({ without, added }: Scenario): string {
  if (without.length === 0 && added.length === 0) return "all";
  return [...(without.length === 0 ? [] : [`without ${without.join(", ")}`]), ...added].join(", ");
}

/** `usage_balanced`, `usage_balanced, no floors`. `first`: the scenario with the current settings. */
export function policyWords({ policy, floors, anchoring }: Scenario, first: Scenario): string {
  return [
    policy,
    ...(first.floors && !floors ? ["no floors"] : []),
    ...(first.anchoring && !anchoring ? ["no anchoring"] : []),
  ].join(", ");
}

/** `3 (0-9)`: the number of refused turns, and how many there are if the windows are larger or smaller than measured. */
export function refusedWords({ refused, refused_least, refused_most }: ScenarioReport): string {
  if (refused_least === null || refused_most === null || refused_least === refused_most)
    return String(refused);
  return `${refused} (${refused_least}-${refused_most})`;
}

/** `0`, `45 min`, `12 h`. */
export function waitWords({ wait_hours }: ScenarioReport): string {
  return wait_hours === 0 ? "0" : durationText(wait_hours * 3_600);
}

/** A sentence for each scenario with other accounts: what would have happened without, or with, them. */
export function summarySentences({ scenarios, turns, until_ms }: SimulationReport): string[] {
  return scenarios
    .filter(({ without, added }) => without.length > 0 || added.length > 0)
    .map((scenario) => {
      const { refused, refused_most } = scenario;
      const what = `${subject(scenario)}: `;
      if (refused === 0) {
        const perhaps =
          refused_most === null || refused_most === 0
            ? ""
            : ` If the windows are smaller than measured, up to ${refused_most} would have been.`;
        return `${what}no turn would have been refused.${perhaps}`;
      }
      const share = `${((100 * refused) / turns).toFixed(1)} %`;
      return `${what}${refused} of ${counted(turns, "turn")} would have been refused (${share}), ${spanWords(scenario.refused_times, refused, until_ms)}.`;
    });
}

/** The sizes of the windows of the accounts, one line for each: `alice (plus): 5h $3.10 ±8 %, week $21.00 ±5 %`. */
export function sizeLines({ accounts, added }: SimulationReport): string[] {
  return [...accounts, ...added].map(({ alias, plan, source, windows }) => {
    const sizes = windows.map(({ kind, size_usd, error }) => {
      const usd = `$${size_usd.toFixed(2)}`;
      // The error of the sizes of plans is not known.
      if (source === "plan_size") return `${WINDOW_WORDS[kind]} about ${usd}`;
      return `${WINDOW_WORDS[kind]} ${usd} ±${Math.max(1, Math.round(error * 100))} %`;
    });
    return `${alias} (${plan === "" ? "unknown plan" : plan}${SOURCE_WORDS[source]}): ${sizes.join(", ")}`;
  });
}

/** What a reader needs to know about the figures. */
export function simulationNotes(report: SimulationReport): string[] {
  const { accounts, added, left_out, api_keys, unmeasured, unpriced_turns } = report;
  const { turns_of_children, turns_of_other_limits } = report;
  const usesPlans = [...accounts, ...added].some(({ source }) => source === "plan_size");
  const list = (why: string, names: readonly string[]) =>
    names.length === 0 ? [] : [`Not simulated, ${why}: ${names.join(", ")}.`];
  const turns = (count: number, whose: string) =>
    count === 0 ? [] : [`Not simulated: ${counted(count, "turn")} ${whose}.`];
  return [
    ...(usesPlans ? [`Plan sizes are as of ${PLAN_SIZES_AS_OF} (docs/simulate.md).`] : []),
    ...list("because out of service", left_out),
    ...(api_keys.length === 0
      ? []
      : [
          `Not simulated, because it is an API key: ${api_keys.join(", ")}. A key would serve refused turns up to its cap, which costs money.`,
        ]),
    ...list("because the history does not show how much quota they have", unmeasured),
    ...turns(turns_of_children, "of child proxies"),
    ...turns(turns_of_other_limits, "for models with their own limit"),
    `Costs and sizes: estimates, at OpenAI's API prices of ${report.prices_as_of}.`,
    ...(report.uses_own_prices ? [OWN_PRICES_NOTE] : []),
    ...(unpriced_turns === 0
      ? []
      : [`The cost leaves out ${counted(unpriced_turns, "turn")} whose model has no known price.`]),
  ];
}

// --- internal ---

function subject(scenario: Scenario): string {
  const words = accountsWords(scenario);
  return scenario.without.length > 0 ? `Without${words.slice("without".length)}` : `With ${words}`;
}

/** `all on Tue 24 Nov from 14:00 to 16:10`, or on how many days, and when most. */
function spanWords(spans: readonly RefusedSpan[], refused: number, nowMs: number): string {
  const days = new Set(spans.map(({ first_ms }) => dayOf(first_ms)));
  const [first] = spans;
  if (first === undefined) return "at different times";
  const most = spans.reduce((top, span) => (span.turns > top.turns ? span : top), first);
  if (spans.length === 1 && most.turns === refused)
    return `${refused === 1 ? "" : "all "}${timesOf(most, nowMs)}`;
  const when = timesOf(most, nowMs);
  if (days.size > 1) return `on ${days.size} days, most of them (${most.turns}) ${when}`;
  const day = `on ${dayWords(first.first_ms, nowMs)}`;
  return `all ${day}, most of them (${most.turns}) ${when.replace(`${day} `, "")}`;
}

function timesOf({ first_ms, last_ms }: RefusedSpan, nowMs: number): string {
  const day = dayWords(first_ms, nowMs);
  const [from, to] = [timeOfDay(first_ms), timeOfDay(last_ms)];
  if (dayOf(first_ms) !== dayOf(last_ms)) return `from ${day} ${from} to ${dayWords(last_ms, nowMs)} ${to}`;
  return from === to ? `on ${day} at ${from}` : `on ${day} from ${from} to ${to}`;
}

function dayWords(atMs: number, nowMs: number): string {
  return `${weekdayOf(atMs)} ${shortDate(atMs, nowMs)}`;
}

const WINDOW_WORDS = { short: "5h", weekly: "week", monthly: "month" } as const;
const SOURCE_WORDS = {
  own: "",
  same_plan: ", from accounts on the same plan",
  plan_size: ", from plan sizes",
} as const;
