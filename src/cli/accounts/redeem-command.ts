// `codexlb account redeem`: shows what a reset credit of an account would reset, and spends one.

import { defineCommand } from "citty";
import { advised } from "../../advice.ts";
import type { AccountDetails } from "../../auth/account-details.ts";
import type { RedeemableAccount } from "../../auth/redeem-ops.ts";
import { counted } from "../../core/count-words.ts";
import { resetCreditTexts } from "../../core/reset-credit-words.ts";
import type { AccountAnswer } from "../../core/status-schema.ts";
import { ago } from "../../core/time-words.ts";
import { printMessage, printMessages } from "../../print.ts";
import { REMOTE_FLAGS, ROOT_FLAG } from "../common-flags.ts";
import { contextOf, rootExists } from "../context.ts";
import { usage } from "../flags.ts";
import { hasUtf8, styleOf } from "../terminal/glyphs.ts";
import { openLineInput } from "../terminal/line-input.ts";
import { waitingFor, wantsColour } from "../terminal/terminal.ts";
import { limitTexts } from "./account-limits.ts";
import { forecastTexts } from "./account-lines.ts";
import { placeOf } from "./account-place.ts";
import type { SectionText } from "./account-section.ts";
import { ALIAS, onlyAlias } from "./alias-argument.ts";
import { withAccounts } from "./with-accounts.ts";

export default defineCommand({
  meta: {
    name: "codexlb account redeem",
    description: "Spend a reset credit: reset the limits of an account now",
  },
  args: {
    ...ROOT_FLAG,
    ...REMOTE_FLAGS,
    yes: { type: "boolean", description: "Spend it without asking" },
    alias: ALIAS,
  },
  run: async ({ args, rawArgs }) => {
    const about = onlyAlias("redeem", rawArgs);
    const context = contextOf(args.root);
    const { log, env, clock } = context.deps;
    const asks = args.yes !== true;
    if (asks && !(process.stdin.isTTY && process.stdout.isTTY))
      throw usage(
        "account redeem asks for confirmation, which needs a terminal",
        `to spend one without asking: ${advised("account redeem", "--yes", about)}`,
      );
    const place = await placeOf(context, args);
    const options = { write: rootExists(context), about };
    if (asks) {
      // A step of its own, so that the files are not locked while the question waits for its answer.
      const offer = await waitingFor(
        "fetching the reset credits",
        withAccounts(context, place, options, async (ops) => ({
          check: await ops.checkRedeem(about),
          details: await ops.show(about),
        })),
      );
      const canvas = { colour: wantsColour(env), utf8: hasUtf8(env), nowMs: clock.now() };
      printMessages(offerTexts(offer.check, offer.details, canvas));
      if (!(await confirmed(offer.check.alias))) return printMessage("nothing was spent");
    }
    const spent = await waitingFor(
      "spending a reset credit",
      withAccounts(context, place, options, (ops) => ops.redeem(about)),
    );
    const { alias, repeated, creditsLeft, problem } = spent;
    if (repeated)
      log.info(`an earlier request had already spent this credit of ${alias}; no second one was spent`);
    if (problem !== undefined) log.warn(`the remaining reset credits of ${alias} are unknown: ${problem}`);
    const left = creditsLeft === undefined ? "" : ` (${counted(creditsLeft, "reset credit")} left)`;
    printMessage(`reset the limits of account ${alias}${left}`);
  },
});

// --- internal ---

/** What spending a credit would reset, and the forecast without it. */
function offerTexts(
  { alias, unfinishedSinceMs }: RedeemableAccount,
  details: AccountDetails,
  canvas: { readonly colour: boolean; readonly utf8: boolean; readonly nowMs: number },
): SectionText[] {
  const { nowMs } = canvas;
  // A credit resets the account's own windows, but not the limits of single models or of a workspace.
  const windows: AccountAnswer = {
    ...details.status,
    additional_limits: undefined,
    credits: undefined,
    individual_limit: undefined,
    reset_credits: undefined,
    spend_control_reached: false,
  };
  if (unfinishedSinceMs !== undefined)
    return [
      { text: `${alias}: a request to spend a reset credit was sent ${ago(unfinishedSinceMs, nowMs)}.` },
      { text: "Its outcome is unknown. Repeating it spends at most one credit." },
    ];
  const forecast = forecastTexts(details, nowMs);
  return [
    { text: `${alias}: ${resetCreditTexts(details.status, nowMs)[0] ?? "its reset credits are unknown"}` },
    { text: "Spending one resets these limits now:" },
    ...limitTexts(windows, styleOf(canvas), nowMs).map(indented),
    ...(forecast.length === 0
      ? []
      : [{ text: "Without it, at the current pace:" }, ...forecast.map(indented)]),
  ];
}

function indented({ first = "", text }: SectionText): SectionText {
  return { first: `  ${first}`, text };
}

async function confirmed(alias: string): Promise<boolean> {
  using input = openLineInput();
  const answer = await input.ask(`Spend one reset credit of ${alias}? [y/N] `, new AbortController().signal);
  return /^y(?:es)?$/i.test(answer ?? "");
}
