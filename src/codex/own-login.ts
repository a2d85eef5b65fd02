// Logs in without codex: by the same sign-in, in a browser on this machine or with a code in any browser.

import { beginBrowserLogin } from "../auth/browser-login.ts";
import { beginDeviceLogin } from "../auth/device-login.ts";
import { namesIssuer, type OAuthDeps } from "../auth/oauth.ts";
import { CodexlbError } from "../errors.ts";
import { INSTALL_CODEX } from "./run.ts";

const DEVICE_FLOW = "--device-auth";

/**
 * Resolves to the text of an auth.json. `args`: none, or `--device-auth`. Throws `codex_not_found` for arguments that
 * only codex understands, `login_failed`, and `interrupted` when `signal` is aborted.
 */
export async function loginWithoutCodex(
  deps: OAuthDeps,
  args: readonly string[],
  say: (text: string) => void,
  signal: AbortSignal,
): Promise<string> {
  const whyNotCodex = namesIssuer(deps) ? "codex does not support CODEXLB_ISSUER" : "codex is not installed";
  const foreign = args.find((word) => word !== DEVICE_FLOW);
  if (foreign !== undefined)
    throw new CodexlbError(
      "codex_not_found",
      `${whyNotCodex}, and only codex supports the argument ${foreign}`,
      {
        next: `${namesIssuer(deps) ? "name a codex with --codex-bin" : INSTALL_CODEX}; or use ${DEVICE_FLOW} or no argument`,
      },
    );
  if (args.length > 0) {
    const login = await beginDeviceLogin(deps, signal);
    say(
      `${whyNotCodex}; codexlb logs in itself.\nOpen ${login.url} in any browser and enter the code ${login.code}\n`,
    );
    return login.auth;
  }
  const login = beginBrowserLogin(deps);
  try {
    say(
      `${whyNotCodex}; codexlb logs in itself.\nOpen this in a browser on this machine (for any other browser, use ${DEVICE_FLOW}):\n\n  ${login.url}\n\n`,
    );
    return await Promise.race([login.auth, interrupted(signal)]);
  } finally {
    login.close();
  }
}

// --- internal ---

function interrupted(signal: AbortSignal): Promise<never> {
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
