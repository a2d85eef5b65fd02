// Codex out of the user's login shell, so that the profile applies. The words go to the shell as arguments, never as text
// of a script: shells differ in what quotes mean, and a prompt may hold anything.

import { basename } from "node:path";
import type { CodexCommand } from "./command-line.ts";

/**
 * The words that run `command` out of `shell`, in the shell's own place, so that signals reach Codex and its end is the
 * shell's end. A profile may have taken the directory of Codex off the PATH: then it is the one at `found`. It may have
 * set what is in the command's environment, too, as people do who keep their CODEX_HOME elsewhere: that is set again,
 * but for the API key, which is the user's own wherever there is one. The direct hosts are added to what it has set.
 */
export function throughLoginShell(
  shell: string,
  { binary, args, env, directHosts }: CodexCommand,
  found: string | undefined,
): string[] {
  const name = basename(shell);
  const settings = Object.entries(env).filter(([key]) => key !== "OPENAI_API_KEY");
  const names = settings.map(([key]) => key);
  const hosts = directHosts.length === 0 ? [] : [directHosts.join(",")];
  const words = [found ?? binary, ...settings.map(([, value]) => value), ...hosts, binary, ...args];
  const hasHosts = hosts.length > 0;
  if (name === "fish")
    return [shell, "-lc", `${fishSets(names)}${hasHosts ? FISH_HOSTS : ""}${FISH}`, ...words];
  const script = `${posixSets(names)}${hasHosts ? POSIX_HOSTS : ""}${POSIX}`;
  return [POSIX_SHELLS.has(name) ? shell : "/bin/sh", "-lc", script, ...words];
}

// --- internal ---

const POSIX_SHELLS: ReadonlySet<string> = new Set("sh bash zsh dash ksh mksh ash yash".split(" "));
/** Its $0 is where Codex was found, its arguments are the command. */
const POSIX =
  'if ! command -v "$1" >/dev/null 2>&1; then found=$0; shift; set -- "$found" "$@"; fi; exec "$@"';
const posixSets = (names: readonly string[]): string =>
  names.map((name) => `export ${name}="$1"; shift; `).join("");
const fishSets = (names: readonly string[]): string =>
  names.map((name) => `set -gx ${name} $argv[2]; set -e argv[2]; `).join("");
/** `$1` is added to NO_PROXY and no_proxy, which may hold different hosts; as `noProxyWith` does it. */
const POSIX_HOSTS = [
  `if [ "\${NO_PROXY-}" != "*" ] && [ "\${no_proxy-}" != "*" ]; then`,
  `[ "\${no_proxy-}" = "\${NO_PROXY-}" ] || NO_PROXY="\${NO_PROXY-}\${NO_PROXY:+\${no_proxy:+,}}\${no_proxy-}";`,
  `case ",\${NO_PROXY-}," in *",$1,"*) ;; *) NO_PROXY="\${NO_PROXY:+$NO_PROXY,}$1" ;; esac;`,
  "no_proxy=$NO_PROXY; export NO_PROXY no_proxy; fi; shift; ",
].join(" ");
const FISH_HOSTS = [
  'if test "$NO_PROXY" != "*"; and test "$no_proxy" != "*"; set -l known $NO_PROXY;',
  'test "$no_proxy" = "$NO_PROXY"; or set known $known $no_proxy; set known (string join , $known);',
  'string match -q "*,$argv[2],*" ",$known,"; or set known (string join , $known $argv[2]);',
  "set -gx NO_PROXY $known; set -gx no_proxy $known; end; set -e argv[2]; ",
].join(" ");
const FISH = "set -l found $argv[1]; set -e argv[1]; type -q $argv[1]; or set argv[1] $found; exec $argv";
