// All that is known of one account, as `GET /admin/account/show` and `account show --json` tell it.

import { z } from "zod";
import { AccountAnswer } from "../core/status-schema.ts";

export type AccountDetails = z.output<typeof AccountDetails>;
export const AccountDetails = z.looseObject({
  /** As in the status document. */
  status: AccountAnswer,
  /** Its home on the machine of the proxy. */
  home: z.string(),
  chatgpt_account_id: z.string().optional(),
  /** URL of the account's own HTTP proxy, without the password. */
  outbound_proxy: z.string().optional(),
  sessions: z.looseObject({
    /** How many stay with it. */
    count: z.number(),
    /** The ones that were used last, the last one first. */
    latest: z.array(z.string()),
  }),
  /** What was written of it in the event log, the oldest first. */
  events: z.array(
    z.looseObject({
      /** RFC 3339. */
      ts: z.string(),
      event: z.string(),
      fields: z.record(z.string(), z.unknown()).default({}),
    }),
  ),
});
