// Chooses an alias for an imported account if the user gives none.

import { basename, join } from "node:path";
import type { Credentials } from "../auth/auth-file.ts";
import { isReservedAlias } from "../auth/reserved-aliases.ts";
import type { Deps } from "../deps.ts";
import { readTextIfPresent } from "../state/atomic-file.ts";
import { parseToml } from "../state/toml.ts";

const LONGEST = 64;

/** Where an imported login comes from. */
export interface LoginOrigin {
  /** Its Codex home, or the directory of its file; undefined if other logins may be there too. */
  readonly home?: string | undefined;
  /** The e-mail address according to another program. */
  readonly email?: string | undefined;
}

/**
 * Returns the first usable name of: `alias` or `profile` in the home's config.toml, the e-mail's local part, the
 * account id, the directory's name, `import-` and random digits. `-2`, `-3` … makes it unique among `taken` and those
 * that no new account may have.
 */
export function inferAlias(
  { home, email }: LoginOrigin,
  credentials: Pick<Credentials, "email" | "accountId">,
  taken: Iterable<string>,
  { random }: Pick<Deps, "random">,
): string {
  const directory = basename(home ?? "").replace(/^\.+|\.+$/g, "");
  const candidates = [
    home === undefined ? undefined : configHint(home),
    (credentials.email ?? email)?.split("@")[0],
    credentials.accountId,
    directory.toLowerCase() === "codex" ? undefined : directory,
    `import-${Buffer.from(random(4)).toString("hex")}`,
  ];
  const base =
    candidates.map((candidate) => sanitise(candidate ?? "")).find((candidate) => candidate !== "") ??
    "import";
  const used = new Set([...taken].map((alias) => alias.toLowerCase()));
  if (!used.has(base) && !isReservedAlias(base)) return base;
  for (let count = 2; count < 1000; count++) {
    const numbered = `${base.slice(0, LONGEST - 4)}-${count}`;
    if (!used.has(numbered)) return numbered;
  }
  return `${base.slice(0, LONGEST - 9)}-${Buffer.from(random(4)).toString("hex")}`;
}

// --- internal ---

function configHint(codexHome: string): string | undefined {
  const text = readTextIfPresent(join(codexHome, "config.toml"));
  if (text === undefined) return undefined;
  try {
    return hintIn(parseToml(text));
  } catch {
    return undefined; // a broken file only loses the hint
  }
}

/** `alias`, else `profile`, at the top; else in the tables below, in the order of the file, depth first. */
function hintIn(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { alias, profile } = value as { alias?: unknown; profile?: unknown };
  const own = [alias, profile].find((hint) => typeof hint === "string" && hint.trim() !== "");
  if (typeof own === "string") return own;
  for (const inner of Object.values(value)) {
    const found = hintIn(inner);
    if (found !== undefined) return found;
  }
  return undefined;
}

function sanitise(text: string): string {
  return text
    .trim()
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[._-]+|[._-]+$/g, "")
    .slice(0, LONGEST)
    .replace(/[._-]+$/, "");
}
