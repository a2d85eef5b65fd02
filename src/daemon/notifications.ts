// The notifications of a running proxy.

import type { Sharing } from "../cluster/sharing.ts";
import { withoutEmails } from "../core/notify/notice.ts";
import type { Deps } from "../deps.ts";
import { channelsOf } from "../notify/channels.ts";
import { createNotifier, type Notifier } from "../notify/notifier.ts";
import { createSharedReports } from "../notify/shared-reports.ts";
import { quote } from "../quote.ts";
import { rootFrom } from "../state/layout.ts";
import type { Pool } from "../upstream/pool.ts";
import type { Base } from "./base.ts";

/** The notifier of a proxy with `pool`. It sends nothing before its `start`. */
export function notifierOf(
  base: Base,
  pool: Pick<Pool, "watched">,
  sharing: Pick<Sharing, "leases" | "signals">,
): Notifier {
  const { layout, live, deps, outbound } = base;
  const context = { clock: deps.clock, env: deps.env, outbound };
  return createNotifier({
    ...base,
    path: layout.notify,
    settings: live.current,
    channels: (config) => channelsOf(config, context),
    pool: pool.watched,
    shared: createSharedReports(sharing, deps.clock),
    rootFlag: rootFlagFor(layout.root, deps.env),
  });
}

// --- internal ---

/** The flag with which commands work on `root`; "" for the default root, or if the path looks like an e-mail address. */
function rootFlagFor(root: string, env: Deps["env"]): string {
  const isPlain = root === rootFrom(undefined, env) || withoutEmails(root) !== root;
  return isPlain ? "" : ` --root ${quote(root)}`;
}
