// Warns about the tags of a key that no account has.

import { hasTag, type TagDemand } from "../../core/account-tags.ts";
import { placeHere } from "../accounts/account-place.ts";
import { untagged } from "../accounts/untagged.ts";
import { withAccounts } from "../accounts/with-accounts.ts";
import type { CommandContext } from "../context.ts";

/** Warns if no account has one of the tags of a key. The key has them already, so an error has no effect. */
export async function warnOfUntaggedKey(context: CommandContext, { tags, only }: TagDemand): Promise<void> {
  const place = await placeHere(context);
  const accounts = await withAccounts(context, place, { write: false }, (ops) => ops.list()).catch(() => []);
  const isTagged = accounts.some(({ codexlb }) => hasTag({ tags: codexlb.options.tags ?? [] }, tags));
  if (accounts.length === 0 || isTagged) return;
  const { why, next } = untagged(tags);
  const effect = only ? "the proxy refuses all requests with this key" : "any account serves";
  context.deps.log.warn(`${why}, so ${effect}; ${next}`);
}
