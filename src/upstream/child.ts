// A child proxy as an upstream: what it last said of itself, and how a request gets there. It is asked in the
// background (children.ts), never for a request.

import { isOpen } from "../core/availability.ts";
import { type Capacity, type CapacityView, NO_STANDING } from "../core/capacity.ts";
import { capacityOfReport } from "../core/child-capacity.ts";
import { type ChildReport, REPORT_MS } from "../core/child-report.ts";
import { ATTEMPTS_HEADER, formatHops, HOPS_HEADER } from "../core/hops.ts";
import { limitFor, ownLimitFor } from "../core/meters.ts";
import type { ChildFacts } from "../core/pool-facts.ts";
import type { QuotaView } from "../core/quota.ts";
import { judgeChild } from "../core/verdict.ts";
import type { Egress, Outbound } from "../network/egress.ts";
import { newUpstream, type UpstreamRecord } from "../state/account-record.ts";
import { noteSight } from "../state/record-changes.ts";
import { addressAt, type ChildLink, withKey } from "./child-link.ts";
import type { Upstream } from "./upstream.ts";

/** What is known of a child: nothing yet, its report, or why there is none. */
export type ChildObservation =
  | { readonly kind: "unseen" }
  /** `shaky`: why the last question was not answered. */
  | { readonly kind: "seen"; readonly report: ChildReport; readonly lastError?: string | undefined }
  | {
      readonly kind: "lost";
      /** `refused`: the settings of one of the two proxies have to be changed. */
      readonly fault: "unreachable" | "refused";
      readonly why: string;
      readonly next: string | undefined;
      /** When it was heard of last, Unix ms; 0 when never. */
      readonly heardMs: number;
      /** The name that it had. */
      readonly name: string | undefined;
    };

export interface Child extends Upstream {
  readonly link: ChildLink;
  readonly record: UpstreamRecord;
  /** The egress for connections to the child. */
  egress(): Egress;
  observation(): ChildObservation;
  observe(observation: ChildObservation): void;
  /** Its report while it counts. */
  report(view: QuotaView): ChildReport | undefined;
  facts(view: CapacityView): Omit<ChildFacts, "candidate">;
}

/** An upstream that cannot be asked for its status is not believed to answer a request after so long a silence, ms. */
const SILENCE_MS = 6_000;

/** `trouble` is called when a request could not be served there: it may look otherwise than it was seen. */
export function createChild(
  link: ChildLink,
  outbound: Pick<Outbound, "toProxy">,
  trouble: () => void,
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
    patienceMs: (configuredMs) => {
      const isSilent =
        observation.kind === "lost" ? observation.fault === "unreachable" : isUncertain(observation);
      return isSilent ? Math.min(configuredMs, SILENCE_MS) : configuredMs;
    },
    noteVerdict: ({ kind }) => {
      if (kind === "limit" || kind === "cool") trouble();
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
    retire: () => "look at its own codexlb status",
    // Its accounts' credentials are its own affair; `judgeChild` never asks for it.
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

/** A child that refuses the way it is asked says so on every path. */
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
  const none = { untilMs: 0, standing: NO_STANDING, score: 0, hasOwnLimits: false };
  switch (observation.kind) {
    case "unseen":
      return { ...none, condition: "cooling", why: "not asked yet" };
    case "seen":
      return { ...none, condition: "cooling", why: "not heard of for a while" };
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
