// A child proxy as an upstream: its last status, and how requests are sent to it. The status is requested in the
// background (children.ts), never during a request.

import { DEFAULT_OPTIONS } from "../core/account-options.ts";
import { isOpen } from "../core/availability.ts";
import { type Capacity, type CapacityView, NO_SUMMARY } from "../core/capacity.ts";
import { capacityOfReport } from "../core/child-capacity.ts";
import { type ChildReport, REPORT_MS } from "../core/child-report.ts";
import { ATTEMPTS_HEADER, formatHops, HOPS_HEADER } from "../core/hops.ts";
import { limitFor, ownLimitFor } from "../core/meters.ts";
import type { ChildFacts } from "../core/pool-facts.ts";
import type { QuotaView } from "../core/quota.ts";
import { judgeChild } from "../core/verdict.ts";
import type { Egress, Outbound } from "../network/egress.ts";
import { newUpstream, type UpstreamRecord } from "../state/account-record.ts";
import { noteSight } from "../state/record-figures.ts";
import { addressAt, type ChildLink, withKey } from "./child-link.ts";
import type { Upstream } from "./upstream.ts";

/** The last observation of a child: none yet, its report, or why there is none. */
export type ChildObservation =
  | { readonly kind: "unseen" }
  /** `lastError`: why the last status request failed, although the report is still valid. */
  | { readonly kind: "seen"; readonly report: ChildReport; readonly lastError?: string | undefined }
  | {
      readonly kind: "lost";
      /** `refused`: the settings of one of the two proxies must be changed. */
      readonly fault: "unreachable" | "refused";
      readonly why: string;
      readonly next: string | undefined;
      /** When its last report was requested, Unix ms; 0 if there was none. */
      readonly heardMs: number;
      /** Its name in the last report. */
      readonly name: string | undefined;
    };

export interface Child extends Upstream {
  readonly link: ChildLink;
  readonly record: UpstreamRecord;
  /** The egress for connections to the child. */
  egress(): Egress;
  observation(): ChildObservation;
  observe(observation: ChildObservation): void;
  /** Its report; undefined if there is none or it is too old. */
  report(view: QuotaView): ChildReport | undefined;
  facts(view: CapacityView): Omit<ChildFacts, "candidate">;
}

/** The longest silence of a response while the child's status requests fail, ms. */
const SILENCE_MS = 6_000;

/** `onTrouble` is called when the child could not serve a request, because its status may have changed. */
export function createChild(
  link: ChildLink,
  outbound: Pick<Outbound, "toProxy">,
  onTrouble: () => void,
): Child {
  let observation: ChildObservation = { kind: "unseen" };
  const record = newUpstream(link.id, hostOf(link));
  const report = ({ nowMs }: QuotaView) =>
    observation.kind === "seen" && nowMs - observation.report.askedMs < REPORT_MS
      ? observation.report
      : undefined;
  const egressNow = () => outbound.toProxy(link.url);
  const nameNow = () =>
    (observation.kind === "seen" ? observation.report.name : nameOfLost(observation)) || record.alias;
  return {
    link,
    record,
    id: link.id,
    get label() {
      return nameNow();
    },
    kind: "child_proxy",
    get where() {
      return `the proxy ${nameNow()}`;
    },
    named: { child_proxy_url: link.url },
    failsOver: FAILS_OVER,
    judge: judgeChild,
    egress: egressNow,
    observation: () => observation,
    observe: (now) => {
      observation = now;
      noteSight(record, now.kind === "seen" && now.lastError === undefined);
    },
    report,
    capacity: (view) => {
      const limit = limitFor(record.quota, view.model, view.refusedBy);
      const untilMs = limit.refusal?.untilMs ?? 0;
      const capacity = capacityOf(observation, report(view), view);
      const hasOwnLimits = capacity.hasOwnLimits || record.quota.additional.length > 0;
      if (untilMs <= view.nowMs) return { ...capacity, hasOwnLimits };
      return { ...capacity, hasOwnLimits, condition: "limited", untilMs, why: "usage-limit" };
    },
    ownLimit: (view) => {
      const quotas = [record.quota, ...(report(view)?.accounts ?? []).map(({ quota }) => quota)];
      return quotas
        .map((quota) => ownLimitFor(quota, view.model, view.refusedBy))
        .find((one) => one !== undefined);
    },
    // Options belong to accounts; those of the child's accounts are the child's matter.
    options: () => DEFAULT_OPTIONS,
    refuses: () => false,
    meter: () => undefined,
    patienceMs: (configuredMs) => {
      const isSilent =
        observation.kind === "lost" ? observation.fault === "unreachable" : isUncertain(observation);
      return isSilent ? Math.min(configuredMs, SILENCE_MS) : configuredMs;
    },
    noteVerdict: ({ kind }) => {
      if (kind === "limit" || kind === "cool") onTrouble();
    },
    prepare: async ({ path, search, headers: passed, hops, attemptsLeft }) => {
      const headers = withKey(link, passed);
      headers.set(HOPS_HEADER, formatHops(hops));
      headers.set(ATTEMPTS_HEADER, String(attemptsLeft));
      const egress = egressNow();
      return {
        kind: "ready",
        url: addressAt(link, `${path}${search}`),
        headers,
        egress,
        isEgressCurrent: () => egressNow().proxy === egress.proxy,
        token: "",
      };
    },
    retire: () => "run codexlb status on that machine",
    // A child proxy renews the credentials of its accounts itself, so `judgeChild` never returns `renew`.
    renew: async () => ({ kind: "failed", why: "a child proxy renews its logins itself" }),
    facts: (view) => {
      const current = report(view);
      const capacity = capacityOf(observation, current, view);
      return {
        id: link.id,
        name: nameNow(),
        url: link.url,
        reachable: current !== undefined,
        report: current,
        lastSwitchReason: record.lastSwitchReason,
        error: errorOf(observation, capacity),
        next: observation.kind === "lost" ? observation.next : undefined,
      };
    },
  };
}

// --- internal ---

/** Includes the statuses with which a child refuses the key, the host name or the WebSocket on every path. */
const FAILS_OVER: ReadonlySet<number> = new Set([401, 408, 421, 426, 429]);

function capacityOf(
  observation: ChildObservation,
  report: ChildReport | undefined,
  view: CapacityView,
): Capacity {
  if (report !== undefined) {
    const capacity = capacityOfReport(report, view);
    return isUncertain(observation) && isOpen(capacity.condition)
      ? { ...capacity, condition: "cooling", why: observation.lastError }
      : capacity;
  }
  const none = { untilMs: 0, summary: NO_SUMMARY, score: 0, hasOwnLimits: false };
  switch (observation.kind) {
    case "unseen":
      return { ...none, condition: "cooling", why: "no status yet" };
    case "seen":
      return { ...none, condition: "cooling", why: "its last status is too old" };
    case "lost":
      return {
        ...none,
        condition: observation.fault === "unreachable" ? "cooling" : "disabled",
        why: observation.why,
      };
    default:
      return observation satisfies never;
  }
}

function isUncertain(
  observation: ChildObservation,
): observation is Extract<ChildObservation, { kind: "seen" }> {
  return observation.kind === "seen" && observation.lastError !== undefined;
}

function errorOf(observation: ChildObservation, capacity: Capacity): string | undefined {
  if (observation.kind === "lost") return observation.why;
  return isOpen(capacity.condition) ? undefined : capacity.why;
}

function nameOfLost(observation: ChildObservation): string | undefined {
  return observation.kind === "lost" ? observation.name : undefined;
}

function hostOf({ url }: ChildLink): string {
  return url.replace(/^https?:\/\//, "");
}
