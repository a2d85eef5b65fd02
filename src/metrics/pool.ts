// The state of the pool as metrics. It is read when a monitoring program asks.

import { roundedUsd, spentUsd } from "../core/api-billing.ts";
import { type Candidate, isOpen } from "../core/availability.ts";
import type { Condition } from "../core/condition.ts";
import { OPERATOR_REASON } from "../core/health.ts";
import { resetCreditsAt } from "../core/reset-credits.ts";
import { FIELD_NAMES } from "../core/status-quota.ts";
import { presentOf } from "../core/windows.ts";
import type { Pool } from "../upstream/pool.ts";
import { type Labels, nameLabel, reasonLabel } from "./labels.ts";
import type { Report, UpstreamLabels } from "./report.ts";

/** Reports the state of the pool at `nowMs` (Unix ms). Returns the labels of its upstreams. */
export function reportPool(
  pool: Pick<Pool, "watched" | "facts">,
  nowMs: number,
  report: Report,
): UpstreamLabels {
  const { accounts, children, main } = pool.watched();
  const upstreams = new Map<string, Labels>();
  for (const { alias, candidate } of accounts) {
    const labels = { account: nameLabel(alias) };
    upstreams.set(candidate.id, labels);
    reportAccount(candidate, labels, report);
  }
  for (const { name, candidate, presence } of children) {
    const labels = { proxy: nameLabel(name) };
    upstreams.set(candidate.id, labels).set(name, labels);
    report("requestsInFlight", candidate.inFlight, labels);
    report("childUsable", Number(isUsable(candidate)), labels);
    if (presence !== "unseen") report("childReachable", Number(presence === "seen"), labels);
  }
  const facts = pool.facts();
  for (const { id, resetCredits } of facts.accounts) {
    const labels = upstreams.get(id);
    if (labels !== undefined && resetCredits !== undefined)
      report("accountResetCredits", resetCreditsAt(resetCredits, nowMs).count, labels);
  }
  for (const { alias, billing, candidate } of facts.accounts) {
    if (billing === undefined) continue;
    const labels = { account: nameLabel(alias) };
    report("apiKeySpent", roundedUsd(spentUsd(billing, nowMs)), labels);
    report("apiKeyCap", candidate.options.monthlyCap, labels);
  }
  for (const { id, url } of facts.children) {
    const labels = upstreams.get(id);
    if (labels !== undefined) upstreams.set(url, labels);
  }
  const inService = [...accounts, ...children].map(({ candidate }) => candidate).filter(isInService);
  report("poolUpstreams", inService.length);
  report("poolUsable", inService.filter(isUsable).length);
  for (const { kind, left } of presentOf(main.windows))
    report("poolQuota", left, { window: FIELD_NAMES[kind] });
  return upstreams;
}

// --- internal ---

/** The conditions with another name in the metrics. In `status`, `limited` is the limit of a workspace. */
const STATES: Partial<Record<Condition, string>> = { limited: "limit_reached" };

function reportAccount(candidate: Candidate, labels: Labels, report: Report): void {
  const { condition, reason, summary, inFlight, inFlightElsewhere, draining } = candidate;
  const state = draining && condition !== "disabled" ? "draining" : (STATES[condition] ?? condition);
  report("requestsInFlight", inFlight - inFlightElsewhere, labels);
  report("accountUsable", Number(isUsable(candidate)), labels);
  report("accountState", 1, { ...labels, state, reason: reasonLabel(reason) });
  for (const { kind, left, resetAtMs } of presentOf(summary.windows)) {
    const window = FIELD_NAMES[kind];
    if (left !== undefined) report("accountQuota", left, { ...labels, window });
    if (resetAtMs !== undefined) report("accountReset", resetAtMs / 1000, { ...labels, window });
  }
}

/** True if the upstream can take new sessions. A draining one still serves its own. */
function isUsable({ condition, draining }: Candidate): boolean {
  return isOpen(condition) && condition !== "exhausted" && !draining;
}

function isInService({ condition, reason, draining }: Candidate): boolean {
  return !draining && !(condition === "disabled" && reason === OPERATOR_REASON);
}
