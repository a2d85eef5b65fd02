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
  /** The setting that the flag replaces: `proxy.listen`. */
  readonly key: string;
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
    return current === value ? [] : [{ flag, key, given: value, current }];
  });
}

/**
 * The warning about `ignored`, with what applies the flags. `install`: the command that changes the service that runs the
 * proxy; undefined if none does.
 */
export function ignoredText(ignored: readonly IgnoredFlag[], install: string | undefined): string {
  const facts = ignored.map(
    ({ flag, given, current }) => `${flag} ${given} was not applied (now ${current})`,
  );
  const remedy =
    install === undefined
      ? `run: ${advised("proxy restart", ...wordsFor(ignored))}`
      : serviceRemedy(ignored, install);
  return `${facts.join("; ")}; to apply it, ${remedy}`;
}

/**
 * What gives the proxy of a service other values for `flags`. Only some of them are also flags of `install`, the command
 * that changes the service; the others are set in config.toml.
 */
export function serviceRemedy(flags: readonly IgnoredFlag[], install: string): string {
  const ofService = flags.filter(({ flag }) => SERVICE_FLAGS.has(flag));
  const settings = flags.filter(({ flag }) => !SERVICE_FLAGS.has(flag));
  const assignments = settings.map(({ key, given }) => `${key} = ${JSON.stringify(given)}`);
  return [
    ...(ofService.length === 0 ? [] : [`run: ${[install, ...wordsFor(ofService)].join(" ")}`]),
    ...(settings.length === 0 ? [] : [`set ${assignments.join(" and ")} in config.toml`]),
  ].join("; ");
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

// --- internal ---

/** The flags of a proxy that `codexlb service install` takes, too. */
const SERVICE_FLAGS: ReadonlySet<string> = new Set(["--listen", "--upstream"]);

function wordsFor(flags: readonly IgnoredFlag[]): string[] {
  return flags.flatMap(({ flag, given }) => [flag, String(given)]);
}
