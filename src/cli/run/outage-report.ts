// Reports at the end of a run that failed that no account of the pool can serve. Codex only shows its own message about
// the limit, which names neither codexlb nor the first reset.

import { remoteStatus } from "../../admin/client.ts";
import type { Door } from "../../admin/door.ts";
import { advised } from "../../advice.ts";
import { outageOf, outageWords } from "../../core/outage.ts";

/** The proxy answers from memory. */
const ANSWER_MS = 2_000;

/** The report; undefined if an account can serve, or the proxy does not report its status to this client. */
export async function outageReport(door: Door, nowMs: number): Promise<string | undefined> {
  const status = await remoteStatus({ ...door, timeoutMs: ANSWER_MS }).catch(() => undefined);
  const outage = status && outageOf(status, nowMs);
  return outage && `no account can serve: ${outageWords(outage, nowMs)}. See: ${advised("status")}`;
}
