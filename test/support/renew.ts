// Renews a login in its own process: `bun renew.ts HOME TOKEN_URL USED_TOKEN`. It prints `ready`, waits for a line on
// standard input, renews the login, and prints the result as JSON.

import { createRefreshLane } from "../../src/auth/refresh.ts";
import { systemDeps } from "../../src/deps.ts";
import { createOutbound } from "../../src/network/egress.ts";

const [home = "", tokenUrl = "", token = ""] = process.argv.slice(2);
const lane = createRefreshLane(systemDeps(), () => ({
  tokenUrl,
  timeoutMs: 10_000,
  outbound: createOutbound({ env: {} }),
}));
console.log("ready");
for await (const _line of console) {
  const renewal = await lane.renew(home, token);
  console.log(
    JSON.stringify(
      renewal.kind === "renewed" ? { kind: renewal.kind, token: renewal.credentials.accessToken } : renewal,
    ),
  );
  break;
}
