// Logging in without codex: the same sign-in, in a browser on this machine or by a code in any other.

import { beginBrowserLogin, beginDeviceLogin, namesIssuer, type OAuthDeps } from "../auth/oauth.ts";
import { CodexlbError } from "../errors.ts";
import { INSTALL_CODEX } from "./run.ts";

const DEVICE_FLOW = "--device-auth";

/**
 * Resolves to the text of an auth.json. `args`: nothing, or `--device-auth`. Throws `codex_not_found` for arguments that
 * only codex understands, and `login_failed`.
 */
export async function loginWithoutCodex(
  deps: OAuthDeps,
  args: readonly string[],
  say: (text: string) => void,
  signal: AbortSignal,
): Promise<string> {
  const whyNotCodex = namesIssuer(deps) ? "codex does not know CODEXLB_ISSUER" : "codex is not installed";
  const foreign = args.find((word) => word !== DEVICE_FLOW);
  if (foreign !== undefined)
    throw new CodexlbError("codex_not_found", `${whyNotCodex}, and ${foreign} is an argument of it`, {
      next: `${namesIssuer(deps) ? "name a codex with --codex-bin" : INSTALL_CODEX}; or give ${DEVICE_FLOW} or nothing`,
    });
  if (args.length > 0) {
    const login = await beginDeviceLogin(deps, signal);
    say(
      `${whyNotCodex}, and is not needed for this.\nOpen ${login.url} in any browser and enter the code ${login.code}\n`,
    );
    return login.auth;
  }
  const login = beginBrowserLogin(deps);
  try {
    say(
      `${whyNotCodex}, and is not needed for this.\nOpen this in a browser on this machine (or give ${DEVICE_FLOW} for another one):\n\n  ${login.url}\n\n`,
    );
    return await Promise.race([login.auth, givenUp(signal)]);
  } finally {
    login.close();
  }
}

// --- internal ---

function givenUp(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const stop = () =>
      reject(
        new CodexlbError("interrupted", "the login was given up; nothing was changed", {
          next: "run the command again to log in",
        }),
      );
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}
