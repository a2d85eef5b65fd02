// Completes the commands that messages advise, so that they work as printed: a command on a root or a proxy that the
// user named by flag advises commands with the same flags.

import { quote } from "../codex/command-line.ts";
import { isLoopback } from "../core/listen.ts";
import { type Layout, rootFrom } from "../state/layout.ts";

/** The flags of this command line that advised commands need too, as `--flag VALUE`, by name. */
type HintFlags = ReadonlyMap<string, string>;

let current: HintFlags = new Map();

/**
 * Sets the command line whose flags `hint` adds. `values` are its flags by name. The default root needs no flag.
 */
export function setHintFlags(
  values: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string | undefined>>,
): void {
  const given = (name: string) => String(values[name] ?? "").trim();
  const flags = new Map<string, string>();
  const root: Layout["root"] = rootFrom(given("root"), env);
  if (given("root") !== "" && root !== rootFrom(undefined, env)) flags.set("root", quote(root));
  for (const name of ["proxy-url", "proxy-name"]) if (given(name) !== "") flags.set(name, quote(given(name)));
  const listen = loopbackListen(given("proxy-url") || (env.CODEXLB_PROXY_URL?.trim() ?? ""));
  if (listen !== undefined) flags.set("listen", listen);
  current = flags;
}

/**
 * `text` with the flags of this command line in each command that it advises and that takes them. A command is advised
 * after a colon or a word such as `run`. Unchanged: commands that have the flag already, commands for another machine,
 * and patterns that end with `...`.
 */
export function hint(text: string): string {
  if (current.size === 0) return text;
  return text.replace(ADVISED, (words: string, ...rest: unknown[]) => {
    const offset = Number(rest.at(-2));
    const before = text.slice(0, offset).split(CLAUSE_END).at(-1) ?? "";
    const after = text.slice(offset).split(CLAUSE_END)[0] ?? "";
    return ELSEWHERE.test(before) || ELSEWHERE.test(after) || PATTERN.test(after)
      ? words
      : completed(words, after);
  });
}

/** `command`, such as `codexlb account login bob`, with the flags of this command line that it takes. */
export function commandHint(command: string): string {
  const [words = command] = COMMAND.exec(command) ?? [];
  return `${completed(words, command)}${command.slice(words.length)}`;
}

/** The flags among `--root`, `--proxy-url`, `--proxy-name` and `--listen` that the command at `path` takes. */
export function flagsFor(path: readonly string[]): readonly string[] {
  const [group = "", name] = path;
  const full = path.join(" ");
  if (WITHOUT_ROOT.has(group) || (group === "service" && name !== "install")) return [];
  const flags = ["root"];
  if (group === "account" || full === "proxy logs") return [...flags, "proxy-url", "proxy-name"];
  if (WITH_PROXY_URL.has(group)) return [...flags, "proxy-url"];
  return STARTS_PROXY.has(full) ? [...flags, "listen"] : flags;
}

// --- internal ---

/** At most two words can belong to the name of a command. */
const COMMAND = /codexlb [a-z][a-z-]*(?: [a-z][a-z-]*)?(?![a-z-])/;
const ADVISED = new RegExp(
  `(?<=(?::|\\b(?:run|start|see|with|or)) (?:CODEX_HOME=\\S+ )?)${COMMAND.source}`,
  "g",
);
const CLAUSE_END = /[;,\n]/;
/** Words of a clause about a command for another machine. */
const ELSEWHERE = /\bthere\b|\bon (?:that|the) machine\b/;
/** A clause that shows only the form of a command. */
const PATTERN = /\.\.\.$/;

/** Groups: their second word belongs to the name of the command. */
const GROUPS: ReadonlySet<string> = new Set(["account", "config", "key", "notify", "service"]);
/** `codexlb proxy` is a command too. */
const BELOW_PROXY: ReadonlySet<string> = new Set(["start", "stop", "restart", "status", "logs"]);
const WITHOUT_ROOT: ReadonlySet<string> = new Set(["completions", "man", "mock", "demo"]);
const WITH_PROXY_URL: ReadonlySet<string> = new Set(["status", "explain", "run", "setup", "doctor"]);
const STARTS_PROXY: ReadonlySet<string> = new Set(["proxy", "proxy start", "proxy restart"]);

/** `command`, the first words of the advised command `whole`, with the flags that `whole` does not have yet. */
function completed(command: string, whole: string): string {
  const path = pathOf(command);
  const missing = flagsFor(path).filter((name) => current.has(name) && !whole.includes(`--${name}`));
  const head = `codexlb ${path.join(" ")}`;
  return `${head}${missing.map((name) => ` --${name} ${current.get(name)}`).join("")}${command.slice(head.length)}`;
}

/** The words of an advised command that are its name. */
function pathOf(command: string): readonly string[] {
  const [, group = "", word] = command.split(" ");
  const isName = word !== undefined && (GROUPS.has(group) || (group === "proxy" && BELOW_PROXY.has(word)));
  return isName ? [group, word] : [group];
}

/** Where a proxy must listen to be found at `url`; undefined if that is not an address of this machine. */
function loopbackListen(url: string): string | undefined {
  const parsed = URL.parse(url.includes("://") ? url : `http://${url}`);
  if (parsed === null || parsed.protocol !== "http:" || !isLoopback(parsed.hostname)) return undefined;
  return `${parsed.hostname}:${parsed.port || "80"}`;
}
