// What happens when config.toml was changed while the proxy runs.

import { withoutSecrets } from "../state/config-source.ts";
import type { ConfigListeners } from "../state/config-watch.ts";
import { settingOf } from "../state/settings.ts";
import type { Children } from "../upstream/children.ts";
import type { Base } from "./parts.ts";

const CHILDREN_KEY = "proxy.child_proxy_urls";

/** Settings are read where they are used, so there is only to tell, and to bring the children in line. */
export function reloading(
  { layout, live, store, events, deps }: Base,
  children: Pick<Children, "sync">,
): ConfigListeners {
  const { log } = deps;
  return {
    changed: ({ before, after, keys, restart }) => {
      const moved = before.proxy.upstream_base_url !== after.proxy.upstream_base_url;
      events.append("config.reloaded", {
        path: layout.config,
        policy_mode: live.file().policy.mode,
        upstream_base_url: live.file().proxy.upstream_base_url,
        updated_account_base_url: moved
          ? store.state.accounts.filter(({ ownBaseUrl }) => ownBaseUrl === undefined).length
          : 0,
        ...(restart.includes("proxy.listen")
          ? { listen_requires_restart: true, listen_running: after.proxy.listen }
          : {}),
      });
      store.touch();
      if (keys.includes(CHILDREN_KEY)) children.sync();
      const shown = keys
        .map((key) => `${key} = ${JSON.stringify(withoutSecrets(settingOf(after, key)))}`)
        .join(", ");
      log.info(`${layout.config} was read again: ${shown || "nothing changed that counts"}`);
      for (const key of restart)
        log.info(`${key} changed too, and needs a restart; until then it is ${settingOf(after, key)}`);
    },
    failed: (error) => {
      log.warn(`${error}; the last good settings hold`);
      events.append("config.reload_failed", { path: layout.config, error });
    },
    mended: () => log.info(`${layout.config} is as it was again, and holds`),
  };
}
