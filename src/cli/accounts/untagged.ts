// Reports tags that no account has, because a typing error in a tag would otherwise have no visible effect.

import { advised } from "../../advice.ts";

/** Why no account with one of `tags` serves, and the command that changes that. */
export function untagged(tags: readonly string[]): { readonly why: string; readonly next: string } {
  return {
    why: `no account of this proxy has the tag ${tags.join(" or ")}`,
    next: `tag one with: ${advised("account set", "ALIAS", "--tag", tags[0] ?? "TAG")}`,
  };
}
