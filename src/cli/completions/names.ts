// The names that a root knows, for completions. Reads only: nothing is written, locked or asked of a proxy, and
// nothing is said.

import { openKeys } from "../../auth/keys.ts";
import type { Deps } from "../../deps.ts";
import { layoutOf, rootFrom } from "../../state/layout.ts";
import { openLocalStore } from "../accounts/with-accounts.ts";
import type { Candidate, Names } from "./offer.ts";

/** Throws what reading the files throws. */
export function namesFrom(system: Deps): Names {
  const deps: Deps = { ...system, log: { info: () => undefined, warn: () => undefined } };
  return async (of, root) => {
    const layout = layoutOf(rootFrom(withHome(root, deps.env.HOME), deps.env));
    switch (of) {
      case "aliases": {
        const { state } = openLocalStore({ deps, layout, rootNamed: true }, true, "");
        return state.accounts.map(({ alias, email = "" }) => ({ word: alias, description: email }));
      }
      case "keys": {
        const keys = await openKeys(layout.keys, deps).list();
        return keys.map(({ name, role }): Candidate => ({ word: name, description: role }));
      }
    }
  };
}

// --- internal ---

/** The shells leave a word as it was typed, and would put this in only when the line is run. */
function withHome(root: string | undefined, home: string | undefined): string | undefined {
  return root?.replace(/^(?:~|\$HOME|\$\{HOME\})(?=\/|$)/, () => home ?? "~");
}
