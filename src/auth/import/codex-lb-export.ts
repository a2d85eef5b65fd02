// The export of one account of codex-lb (the Python program), as its API returns it. The dashboard saves parts of it: an
// auth.json of Codex or one of opencode.

import { z } from "zod";
import type { LoginFormat } from "./format.ts";

export const codexLbExportFormat: LoginFormat = {
  program: "codex-lb",
  where: "the response of its API to an export",
  recognise: ({ json }) => Export.safeParse(json).success,
  read: ({ path, json }) => {
    const { account, codexAuthJson } = Export.parse(json);
    return [
      {
        kind: "login",
        path,
        auth: `${JSON.stringify(codexAuthJson, undefined, 2)}\n`,
        email: account?.email,
      },
    ];
  },
};

// --- internal ---

const Export = z.looseObject({
  account: z.looseObject({ email: z.string().optional() }).optional().catch(undefined),
  codexAuthJson: z.looseObject({ tokens: z.looseObject({}) }),
});
