// The details of one account, for `GET /admin/account/show` and `account show --json`.

import { z } from "zod";
import { AccountAnswer } from "../core/status-schema.ts";

export type AccountDetails = z.output<typeof AccountDetails>;
export const AccountDetails = z.looseObject({
  /** As in the status document. */
  status: AccountAnswer,
  /** The path of its home on the proxy's machine. */
  home: z.string(),
  chatgpt_account_id: z.string().optional(),
  /** URL of the account's own HTTP proxy, without the password. */
  outbound_proxy: z.string().optional(),
  sessions: z.looseObject({
    /** The number of sessions that stay with the account. */
    count: z.number(),
    /** The most recently used sessions, most recent first. */
    latest: z.array(z.string()),
  }),
  /** Its last events in the event log, oldest first. */
  events: z.array(
    z.looseObject({
      /** RFC 3339. */
      ts: z.string(),
      event: z.string(),
      fields: z.record(z.string(), z.unknown()).default({}),
    }),
  ),
});
