// What `codexlb proxy logs` reports if it has no event to show.

import { advised } from "../../advice.ts";
import { unknownAccountHint } from "../accounts/unknown-account.ts";
import type { RemoteFlags } from "../common-flags.ts";
import type { CommandContext } from "../context.ts";
import { type FilterFlags, isFiltered } from "./log-filter.ts";

/**
 * Reports on stderr that the log has no event for `flags`, and whether the account in them is unknown. `lines`: how many
 * of the last lines were read without a filter; 0: all.
 */
export async function reportNoEvents(
  context: CommandContext,
  flags: FilterFlags & RemoteFlags & { readonly json?: boolean | undefined },
  lines: number,
): Promise<void> {
  const { log } = context.deps;
  if (!isFiltered(flags)) {
    const where =
      lines === 0
        ? "the log"
        : lines === 1
          ? "the last line of the log"
          : `the last ${lines} lines of the log`;
    return log.info(`${where} has no switches or failures${flags.all ? "" : "; --all shows other events"}`);
  }
  const given = (["account", "session", "since", "level"] as const)
    .filter((name) => flags[name] !== undefined)
    .map((name) => `--${name} ${flags[name]}`);
  // On a terminal, most events of a session are only shown with --all.
  const isBrief = process.stdout.isTTY === true && !flags.json && !flags.all && flags.level === undefined;
  if (flags.session !== undefined && isBrief)
    log.info(`no switch or failure in the log matches ${given.join(" ")}; --all shows other events`);
  else log.info(`no event in the log matches ${given.join(" ")}`);
  if (flags.session !== undefined)
    log.info(`for the ids of sessions, run: ${advised("usage", "--by", "session")}`);
  const account = flags.account?.trim();
  const hint = account === undefined ? undefined : await unknownAccountHint(context, flags, account);
  if (hint !== undefined) log.info(hint);
}
