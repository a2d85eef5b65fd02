// The anchorer of a running proxy: its settings, and the turns that it sends.

import type { WorkLeases } from "../cluster/work-leases.ts";
import { localMoments, timeOfDay } from "../core/anchor/anchor-times.ts";
import { chance } from "../core/jitter.ts";
import { sendAnchorTurn } from "../proxy/anchor-turn.ts";
import type { ProxyContext } from "../proxy/context.ts";
import type { Config } from "../state/settings.ts";
import { type AnchorSettings, createAnchorPlan } from "../upstream/anchor-plan.ts";
import { type Anchorer, createAnchorer } from "../upstream/anchorer.ts";
import type { Base } from "./base.ts";
import type { PoolParts } from "./pool-parts.ts";

/** The longest delay after the chosen times, so that not all proxies of the world send at the same moment, ms. */
const LONGEST_DELAY_MS = 3 * 60_000;

/** The anchorer of the proxy whose requests are forwarded with `forwarding`. `leases`: whether it does this job. */
export function anchorerOf(
  { live, deps, store, events }: Base,
  { pool, catalogues, refresher }: PoolParts,
  forwarding: ProxyContext,
  leases: WorkLeases,
): Anchorer {
  const stopping = new AbortController();
  const settings = () => anchorSettings(live.current());
  const plan = createAnchorPlan({
    store,
    pool,
    settings,
    offers: catalogues.offers,
    moments: localMoments,
    delayMs: LONGEST_DELAY_MS * chance(deps.random),
  });
  const anchorer = createAnchorer({
    deps,
    store,
    events,
    plan,
    refresher,
    leases,
    send: (accountId) => sendAnchorTurn(forwarding, accountId, settings().model, stopping.signal),
  });
  return {
    start: anchorer.start,
    stop: () => {
      anchorer.stop();
      stopping.abort();
    },
  };
}

// --- internal ---

function anchorSettings({ anchor }: Config): AnchorSettings {
  return { ...anchor, at: anchor.at.map(timeOfDay).filter((time) => time !== undefined) };
}
