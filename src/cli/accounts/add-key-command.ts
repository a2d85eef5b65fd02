// `codexlb account add-key`: enrols an OpenAI API key as an account, which serves only if no other account can.

import { defineCommand } from "citty";
import { advised } from "../../advice.ts";
import { apiKeyFile, apiKeyProblem, apiUrlProblem, DEFAULT_API_URL } from "../../auth/api-key-file.ts";
import { checkEnrolment } from "../../auth/enrolment-target.ts";
import { listedBaseUrl } from "../../auth/listed-api-key.ts";
import { changeWords } from "../../core/option-words.ts";
import { withoutTrailingSlash } from "../../core/urls.ts";
import { printMessage } from "../../print.ts";
import { REMOTE_FLAGS, ROOT_FLAG } from "../common-flags.ts";
import { contextOf } from "../context.ts";
import { usage } from "../flags.ts";
import { openSecretLines } from "../login-with/secret-lines.ts";
import { placeOf } from "./account-place.ts";
import { onlyAlias } from "./alias-argument.ts";
import { capIn } from "./option-flags.ts";
import { withAccounts } from "./with-accounts.ts";

export default defineCommand({
  meta: {
    name: "codexlb account add-key",
    description: "Add an OpenAI API key, which serves only if no other account can",
  },
  args: {
    ...ROOT_FLAG,
    ...REMOTE_FLAGS,
    "key-stdin": {
      type: "boolean",
      description: "Read the API key from standard input; on a terminal it is not shown",
    },
    "monthly-cap": {
      type: "string",
      description: "How much the key may spend per month, such as 20usd; required for a new account",
      valueHint: "USD",
    },
    "base-url": {
      type: "string",
      description: `The only URL that gets the key (default: the URL of the replaced key, or ${DEFAULT_API_URL})`,
      valueHint: "URL",
    },
    replace: { type: "boolean", description: "Replace a ChatGPT account that has this alias" },
    alias: { type: "positional", description: "Alias of the account", valueHint: "ALIAS" },
  },
  run: async ({ args, rawArgs }) => {
    const alias = onlyAlias("add-key", rawArgs);
    const monthlyCap = args["monthly-cap"] === undefined ? undefined : capIn(args["monthly-cap"]);
    const namedUrl = args["base-url"]?.trim();
    const problem = namedUrl === undefined ? undefined : apiUrlProblem(namedUrl);
    if (problem !== undefined) throw usage(`account add-key: ${problem}`);
    if (!args["key-stdin"])
      throw usage(
        "account add-key: --key-stdin is missing",
        `for example: ${advised("account add-key", alias, "--key-stdin", "--monthly-cap", "20usd")}`,
      );
    const context = contextOf(args.root, { createsRoot: true });
    const place = await placeOf(context, args);
    const replace = args.replace ?? false;
    // A step of its own, so that the files are not locked while the user types the key.
    const accounts = await withAccounts(context, place, { write: false, about: alias }, (ops) => ops.list());
    checkEnrolment({ alias, kind: "api-key", replace }, accounts);
    const known = accounts.find((account) => account.alias === alias);
    if (monthlyCap === undefined && known?.codexlb.options.monthly_cap === undefined)
      throw usage(
        "account add-key: --monthly-cap is missing",
        "set how much the key may spend per month, for example: --monthly-cap 20usd",
      );
    // A new key goes where the old one went, unless the user names another URL.
    const knownUrl = known && listedBaseUrl(known);
    const baseUrl = withoutTrailingSlash(namedUrl ?? knownUrl ?? DEFAULT_API_URL);
    const auth = apiKeyFile({ key: await keyFromStandardInput(), baseUrl });
    await withAccounts(context, place, { write: true, about: alias }, async (ops) => {
      const { change } = await ops.import(alias, { auth, config: undefined, replace });
      if (known !== undefined && knownUrl !== undefined) {
        // After a change of the URL or of the health, the key itself may be the same as before.
        const which = knownUrl === baseUrl && known.enabled ? "another" : "this";
        const uses = change === "unchanged" ? "already has this" : `now uses ${which}`;
        const before = knownUrl === baseUrl ? "" : ` (before: ${knownUrl})`;
        printMessage(`account ${alias} ${uses} API key, for ${baseUrl}${before}`);
      }
      if (monthlyCap === undefined) return;
      await ops.set(alias, { options: { monthlyCap } });
      printMessage(
        `account ${alias} uses an API key, ${changeWords({ monthlyCap })}, and serves only if no other account can`,
      );
    });
  },
});

// --- internal ---

async function keyFromStandardInput(): Promise<string> {
  const lines = openSecretLines();
  try {
    const key = (await lines.next("API key: ")).trim();
    const problem = apiKeyProblem(key);
    if (problem !== undefined) throw usage(`account add-key: ${problem}`);
    return key;
  } finally {
    lines.close();
  }
}
