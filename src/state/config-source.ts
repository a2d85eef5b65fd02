// Where the settings come from: the file in ROOT, then the environment, then flags. Later ones win.

import type { Deps } from "../deps.ts";
import { makePrivateDirectory, readTextIfPresent, writeFileAtomic } from "./atomic-file.ts";
import { type Config, cleanUrls, newConfigText, parseConfig } from "./config.ts";
import type { Layout } from "./layout.ts";

/** Settings given on the command line of `codexlb proxy`; they hold for that process only. */
export interface ConfigOverrides {
  readonly listen?: string | undefined;
  readonly upstream?: string | undefined;
  readonly maxAttempts?: number | undefined;
  readonly usageTimeoutMs?: number | undefined;
  readonly cooldownDefaultSeconds?: number | undefined;
  readonly quotaRefreshMinutes?: number | undefined;
  readonly quotaRefreshMessages?: number | undefined;
  readonly quotaCacheTtlMinutes?: number | undefined;
}

/** The settings of `layout`'s root as the file has them; a missing file reads as all defaults. Writes nothing. */
export function readConfig(layout: Layout): Config {
  return parseConfig(readTextIfPresent(layout.config) ?? "", layout.config);
}

/** As `readConfig`, and makes ROOT and a commented config.toml with a generated name when there is none. */
export function readOrCreateConfig(layout: Layout, deps: Pick<Deps, "random">): Config {
  if (readTextIfPresent(layout.config) === undefined) {
    makePrivateDirectory(layout.root);
    writeFileAtomic(layout.config, newConfigText(`proxy-${Buffer.from(deps.random(4)).toString("hex")}`));
  }
  return readConfig(layout);
}

/** `config` with the environment's and the command line's settings on top. Numbers of zero and less are ignored. */
export function withOverrides(config: Config, flags: ConfigOverrides, env: Deps["env"]): Config {
  const number = (flag: number | undefined, value: number) => (flag !== undefined && flag > 0 ? flag : value);
  const children = cleanUrls((env.CODEXLB_CHILD_PROXY_URLS ?? "").split(/[\s,]+/));
  const { proxy, quota } = config;
  return {
    ...config,
    proxy: {
      ...proxy,
      name: env.CODEXLB_PROXY_NAME?.trim() || proxy.name,
      listen: flags.listen?.trim() || proxy.listen,
      upstream_base_url: flags.upstream?.trim().replace(/\/+$/, "") || proxy.upstream_base_url,
      child_proxy_urls: children.length > 0 ? children : proxy.child_proxy_urls,
      allow_unauthenticated: proxy.allow_unauthenticated || env.CODEXLB_ALLOW_UNAUTHENTICATED === "1",
      max_attempts: number(flags.maxAttempts, proxy.max_attempts),
      usage_timeout_ms: number(flags.usageTimeoutMs, proxy.usage_timeout_ms),
      cooldown_default_seconds: number(flags.cooldownDefaultSeconds, proxy.cooldown_default_seconds),
    },
    quota: {
      ...quota,
      refresh_interval_minutes: number(flags.quotaRefreshMinutes, quota.refresh_interval_minutes),
      refresh_interval_messages: number(flags.quotaRefreshMessages, quota.refresh_interval_messages),
      cache_ttl_minutes: number(flags.quotaCacheTtlMinutes, quota.cache_ttl_minutes),
    },
  };
}
