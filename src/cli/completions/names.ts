// The names of accounts, keys and tags on a root, for completions. This only reads files: it writes nothing, takes no lock,
// asks no proxy and prints nothing.

import { openKeys } from "../../auth/keys.ts";
import type { Deps } from "../../deps.ts";
import { optionsOf } from "../../state/account-record.ts";
import { readConfig } from "../../state/config-source.ts";
import { layoutOf, rootFrom } from "../../state/layout.ts";
import { openLocalStore } from "../accounts/with-accounts.ts";
import type { Candidate, Names } from "./offer.ts";

/** Returns a function that finds the names. It throws the errors of reading the files. */
export function namesFrom(system: Deps): Names {
  const deps: Deps = { ...system, log: { info: () => undefined, warn: () => undefined } };
  return async (of, root) => {
    const layout = layoutOf(rootFrom(withHome(root, deps.env.HOME), deps.env));
    switch (of) {
      case "aliases": {
        const { state } = openLocalStore({ deps, layout, rootNamed: true, createsRoot: false }, true, "");
        return state.accounts.map(({ alias, email = "" }) => ({ word: alias, description: email }));
      }
      case "tags": {
        const { state } = openLocalStore({ deps, layout, rootNamed: true, createsRoot: false }, true, "");
        const { accounts } = readConfig(layout);
        const tags = state.accounts.flatMap((account) => optionsOf(account, accounts).tags);
        return [...new Set(tags)].sort().map((word) => ({ word, description: "" }));
      }
      case "keys": {
        const keys = await openKeys(layout.keys, deps).list();
        return keys.map(({ name, role }): Candidate => ({ word: name, description: role }));
      }
    }
  };
}

// --- internal ---

/** `root` with the home directory in place of `~` and `$HOME`, which shells expand only when the line is run. */
function withHome(root: string | undefined, home: string | undefined): string | undefined {
  return root?.replace(/^(?:~|\$HOME|\$\{HOME\})(?=\/|$)/, () => home ?? "~");
}
