// A child proxy as an upstream: what it last said of itself, and how a request gets there. It is asked in the
// background (children.ts), never for a request.

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
import { noteSight } from "../state/record-changes.ts";
import { addressAt, type ChildLink, withKey } from "./child-link.ts";
import type { Upstream } from "./upstream.ts";

/** What is known of a child: nothing yet, its report, or why there is none. */
export type Sight =
  | { readonly kind: "unseen" }
  /** `shaky`: why the last question was not answered. */
  | { readonly kind: "seen"; readonly report: ChildReport; readonly shaky?: string | undefined }
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
  sight(): Sight;
  see(sight: Sight): void;
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
  let sight: Sight = { kind: "unseen" };
  const record = newUpstream(link.id, hostOf(link));
  const report = ({ nowMs }: QuotaView) =>
    sight.kind === "seen" && nowMs - sight.report.askedMs < REPORT_MS ? sight.report : undefined;
  const egressNow = () => outbound.toProxy(link.url);
  const nameNow = () => (sight.kind === "seen" ? sight.report.name : nameOfLost(sight)) || record.alias;
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
    sight: () => sight,
    see: (now) => {
      sight = now;
      noteSight(record, now.kind === "seen" && now.shaky === undefined);
    },
    report,
    capacity: (view) => {
      const limit = limitFor(record.quota, view.model, view.refusedBy);
      const untilMs = limit.refusal?.untilMs ?? 0;
      const capacity = capacityOf(sight, report(view), view);
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
      const isSilent = sight.kind === "lost" ? sight.fault === "unreachable" : isShaky(sight);
      return isSilent ? Math.min(configuredMs, SILENCE_MS) : configuredMs;
    },
    told: ({ kind }) => {
      if (kind === "limit" || kind === "cool") trouble();
    },
    prepare: async ({ path, search, headers: told, hops, attemptsLeft }) => {
      const headers = withKey(link, new Headers(told));
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
    retired: () => "look at its own codexlb status",
    // Its accounts' credentials are its own affair; `judgeChild` never asks for it.
    renew: async () => ({ kind: "failed", why: "a child proxy renews its logins itself" }),
    facts: (view) => {
      const told = report(view);
      const capacity = capacityOf(sight, told, view);
      return {
        id: link.id,
        name: nameNow(),
        url: link.url,
        reachable: told !== undefined,
        report: told,
        lastSwitchReason: record.lastSwitchReason,
        error: errorOf(sight, capacity),
        next: sight.kind === "lost" ? sight.next : undefined,
      };
    },
  };
}

// --- internal ---

/** A child that refuses the way it is asked says so on every path. */
const FAILS_OVER: ReadonlySet<number> = new Set([401, 408, 421, 426, 429]);

function capacityOf(sight: Sight, report: ChildReport | undefined, view: CapacityView): Capacity {
  if (report !== undefined) {
    const capacity = capacityOfReport(report, view);
    return isShaky(sight) && isOpen(capacity.condition)
      ? { ...capacity, condition: "cooling", why: sight.shaky }
      : capacity;
  }
  const none = { untilMs: 0, summary: NO_SUMMARY, score: 0, hasOwnLimits: false };
  switch (sight.kind) {
    case "unseen":
      return { ...none, condition: "cooling", why: "not asked yet" };
    case "seen":
      return { ...none, condition: "cooling", why: "not heard of for a while" };
    case "lost":
      return {
        ...none,
        condition: sight.fault === "unreachable" ? "cooling" : "disabled",
        why: sight.why,
      };
    default:
      return sight satisfies never;
  }
}

function isShaky(sight: Sight): sight is Extract<Sight, { kind: "seen" }> {
  return sight.kind === "seen" && sight.shaky !== undefined;
}

function errorOf(sight: Sight, capacity: Capacity): string | undefined {
  if (sight.kind === "lost") return sight.why;
  return isOpen(capacity.condition) ? undefined : capacity.why;
}

function nameOfLost(sight: Sight): string | undefined {
  return sight.kind === "lost" ? sight.name : undefined;
}

function hostOf({ url }: ChildLink): string {
  return url.replace(/^https?:\/\//, "");
}
