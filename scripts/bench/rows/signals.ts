// The part of row (n) that measures how long a cooldown takes to another replica.

import { HEALTH } from "../../../src/upstream/signal-kinds.ts";
import type { TestRedis } from "../../../test/support/redis.ts";
import { signalPeer } from "../../../test/support/signal-peer.ts";
import type { Lab } from "../lab.ts";
import type { Samples } from "../samples.ts";
import { quantile } from "../statistics.ts";

/** From the moment at which a replica notices a cooldown to the one at which another replica has parsed it. */
export async function signalDelays(lab: Lab, samples: Samples, { url }: TestRedis): Promise<void> {
  using sender = await signalPeer(url, "sender");
  let arrived = (): void => {};
  using _receiver = await signalPeer(url, "receiver", {
    prepare: (exchange) => exchange.watch(HEALTH, () => arrived()),
  });
  for (let round = 0; round < lab.rounds; round++) {
    const delays: number[] = [];
    for (let count = 0; count < SIGNALS; count++) {
      await Bun.sleep(PAUSE_MS);
      const { promise, resolve } = Promise.withResolvers<void>();
      arrived = resolve;
      const sinceMs = Date.now();
      const beganAt = performance.now();
      sender.exchange.put(HEALTH, "account", {
        kind: "cooling",
        cause: "fault",
        reason: "http-500",
        sinceMs,
        untilMs: sinceMs + 60_000,
      });
      await promise;
      delays.push(performance.now() - beganAt);
    }
    samples.add("n.signalP50", "codexlb", quantile(delays, 0.5));
    samples.add("n.signalP99", "codexlb", quantile(delays, 0.99));
  }
}

// --- internal ---

const SIGNALS = 500;
/** Cooldowns are rare. Those within one batch would wait for each other. */
const PAUSE_MS = 25;
