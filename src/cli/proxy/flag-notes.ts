// What a user should know about the flags of a proxy: that a running proxy ignores new ones, and that a restart keeps
// those of the first start, which win over config.toml.

import { advised } from "../../advice.ts";
import { type ParsedConfig, parseConfig } from "../../state/config.ts";
import { effectiveConfig, type ShownSetting, shownSettings } from "../../state/config-source.ts";
import { type GivenProxyFlags, overridesOf, wordsOf } from "./proxy-flags.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** A flag of a command line, and the value that the running proxy has in place of it. */
export interface IgnoredFlag {
  /** `--listen`. */
  readonly flag: string;
  readonly given: unknown;
  readonly current: unknown;
}

/** The flags that a proxy with `settings` was started with. */
export function flagsIn(settings: readonly ShownSetting[]): GivenProxyFlags {
  return Object.fromEntries(
    settings.flatMap(({ source, value }) =>
      source.startsWith("--") ? [[source.slice("--".length), String(value)]] : [],
    ),
  );
}

/** The flags in `given` that ask for other values than `settings`, those of the running proxy. Throws `usage`. */
export function ignoredFlags(
  given: GivenProxyFlags,
  settings: readonly ShownSetting[],
  env: Environment,
): IgnoredFlag[] {
  const wanted = shownSettings(effectiveConfig(parseConfig("", ""), overridesOf(given), env));
  return wanted.flatMap(({ key, value, source: flag }) => {
    if (!flag.startsWith("--")) return [];
    const current = settings.find((one) => one.key === key)?.value;
    return current === value ? [] : [{ flag, given: value, current }];
  });
}

/** The warning about `ignored`, with the command that applies the flags. */
export function ignoredText(ignored: readonly IgnoredFlag[], isService: boolean): string {
  const facts = ignored.map(
    ({ flag, given, current }) => `${flag} ${given} was not applied (now ${current})`,
  );
  const flags = ignored.flatMap(({ flag, given }) => [flag, String(given)]);
  const command = isService ? advised("service install", ...flags) : advised("proxy restart", ...flags);
  return `${facts.join("; ")}; to apply it, run: ${command}`;
}

/** A note for each flag of the first start that a restart kept although config.toml or a variable says otherwise. */
export function keptFlags({
  before,
  given,
  file,
  env,
}: {
  /** The flags of the first start. */
  readonly before: GivenProxyFlags;
  /** The flags of the restart. */
  readonly given: GivenProxyFlags;
  readonly file: ParsedConfig;
  readonly env: Environment;
}): string[] {
  const kept = shownSettings(effectiveConfig(file, overridesOf(before), env));
  const own = shownSettings(effectiveConfig(file, {}, env));
  const restated = wordsOf(given);
  return kept.flatMap(({ key, value, source: flag }, index) => {
    const configured = own[index];
    if (!flag.startsWith("--") || restated.includes(flag) || configured === undefined) return [];
    if (configured.value === value || configured.source === "default") return [];
    return [
      `kept ${flag} ${value} from the first start, overriding ${key} = ${JSON.stringify(configured.value)} (${configured.source}); to use the setting instead, run: ${advised("proxy stop")}; ${advised("proxy start")}`,
    ];
  });
}
