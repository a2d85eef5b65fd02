// `codexlb key show`: one key with its limits and what it has used.

import { defineCommand } from "citty";
import { advised } from "../../advice.ts";
import { CodexlbError } from "../../errors.ts";
import { printJson, printMessage } from "../../print.ts";
import { oneLine } from "../../printable.ts";
import { withKeys } from "../accounts/with-accounts.ts";
import { ROOT_FLAG } from "../common-flags.ts";
import { contextOf, warnOfMissingRoot } from "../context.ts";
import { KEY_NAME, onlyName } from "./key-flags.ts";
import { keyJson } from "./key-json.ts";
import { keyTexts } from "./key-words.ts";

export default defineCommand({
  meta: {
    name: "codexlb key show",
    description: "Show the limits of a key and what it has used (never the secret)",
  },
  args: { ...ROOT_FLAG, json: { type: "boolean", description: "Print JSON" }, name: KEY_NAME },
  run: async ({ args, rawArgs }) => {
    const name = onlyName("show", rawArgs);
    const context = contextOf(args.root);
    warnOfMissingRoot(context);
    const keys = await withKeys(context, false, (ops) => ops.list());
    const key = keys.find((one) => one.name === name);
    if (key === undefined)
      throw new CodexlbError("not_found", `there is no key ${name}`, {
        next:
          keys.length === 0
            ? `create one with: ${advised("key add", "NAME")}`
            : `known keys: ${keys.map((one) => one.name).join(", ")}`,
      });
    if (args.json) return printJson(keyJson(key), 2);
    printMessage(oneLine(key.name));
    for (const { name: fact, value } of keyTexts(key, context.deps.clock.now())) printMessage(value, fact);
  },
});
