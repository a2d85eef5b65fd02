// Reports changes of config.toml while the proxy runs, and applies those that need more than a new value.

import { shownValue } from "../state/config-source.ts";
import type { ConfigListeners } from "../state/config-watch.ts";
import type { Children } from "../upstream/children.ts";
import type { Base } from "./base.ts";

const CHILDREN_KEY = "proxy.child_proxy_urls";

/**
 * The listeners for changes of config.toml. Only the child proxies need an update: other settings are read at each use.
 */
export function reloading(
  { layout, store, events, deps }: Base,
  children: Pick<Children, "sync">,
): ConfigListeners {
  const { log } = deps;
  return {
    changed: ({ before, after, keys, restart }) => {
      const moved = before.proxy.upstream_base_url !== after.proxy.upstream_base_url;
      events.append("config.reloaded", {
        path: layout.config,
        policy_mode: after.policy.mode,
        upstream_base_url: after.proxy.upstream_base_url,
        updated_account_base_url: moved
          ? store.state.accounts.filter(({ ownBaseUrl }) => ownBaseUrl === undefined).length
          : 0,
        ...(restart.includes("proxy.listen")
          ? { listen_requires_restart: true, listen_running: after.proxy.listen }
          : {}),
      });
      store.touch();
      if (keys.includes(CHILDREN_KEY)) children.sync();
      const shown = keys.map((key) => `${key} = ${JSON.stringify(shownValue(after, key))}`).join(", ");
      log.info(`reloaded ${layout.config}: ${shown || "no effective setting changed"}`);
      for (const key of restart)
        log.info(
          `${key} also changed, but needs a restart to take effect; until then it is ${shownValue(after, key)}`,
        );
    },
    failed: (error) => {
      log.warn(`${error}; keeping the last valid settings`);
      events.append("config.reload_failed", { path: layout.config, error });
    },
    mended: () => log.info(`${layout.config} is valid again; settings unchanged`),
  };
}
