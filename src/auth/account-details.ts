// The details of one account, for `GET /admin/account/show` and `account show --json`.

import { z } from "zod";
import { AccountAnswer, SwitchAnswer } from "../core/status-schema.ts";

export type AccountDetails = z.output<typeof AccountDetails>;
export const AccountDetails = z.looseObject({
  /** As in the status document. */
  status: AccountAnswer,
  /** The path of its home on the proxy's machine. */
  home: z.string(),
  chatgpt_account_id: z.string().optional(),
  /** URL of the account's own HTTP proxy, without the password. */
  outbound_proxy: z.string().optional(),
  /** Its config.toml on the proxy's machine, if there is one. */
  settings_file: z.string().optional(),
  /** Unix ms; a time is absent if the login does not contain it. The object is absent if the login cannot be read. */
  login: z
    .looseObject({
      signed_in_at_ms: z.number().optional(),
      refreshed_at_ms: z.number().optional(),
      expires_at_ms: z.number().optional(),
      /** True if the login has a refresh token. */
      renewable: z.boolean(),
    })
    .optional(),
  /** Where each option that is set for the account has its value from; the values are in `status`. */
  options: z.array(z.looseObject({ name: z.string(), source: z.string() })).default([]),
  /** The last moves from and to the account that the proxy or its log knows, latest first. */
  switches: z.array(SwitchAnswer).default([]),
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
