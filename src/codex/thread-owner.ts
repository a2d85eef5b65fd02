// The owner that Codex saves with each thread: account and user of the login in a Codex home.

import { readCredentials } from "../auth/homes.ts";
import { ownerOfStub, STUB_ACCOUNT_ID, type ThreadOwner } from "../auth/stub.ts";

/**
 * The owner of the threads that Codex begins in `home`; undefined without a ChatGPT login in its auth.json. A stub has
 * the owner that codexlb has written into it.
 */
export function threadOwnerIn(home: string): ThreadOwner | undefined {
  try {
    const { accountId, userId, idToken } = readCredentials(home);
    if (accountId === undefined) return undefined;
    return ownerOfStub(idToken ?? "") ?? (accountId === STUB_ACCOUNT_ID ? undefined : { accountId, userId });
  } catch {
    return undefined; // no login, or one of another kind
  }
}
