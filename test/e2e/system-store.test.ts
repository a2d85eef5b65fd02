// The executable trusts the system's certificate store. Only the compiled executable is built to do so.

import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemDeps } from "../../src/deps.ts";
import { startMock } from "../../src/mock/backend.ts";
import { corporateNetwork } from "../support/corporate-network.ts";
import { executable } from "../support/executable.ts";

const STORE = "/etc/ssl/certs/ca-certificates.crt";

/** Runs a program in its own mount namespace with a different certificate store. */
const UNSHARE = ["unshare", "-rm"];
const canUnshare =
  Bun.which("unshare") !== null && Bun.spawnSync([...UNSHARE, "true"], { stderr: "ignore" }).success;
const reason = !existsSync(STORE)
  ? `there is no ${STORE}`
  : canUnshare
    ? undefined
    : "mount namespaces cannot be made here";
if (reason !== undefined) console.log(`skipped: the system's store (${reason})`);

test.skipIf(reason !== undefined)(
  "the executable trusts the authorities of the system's store and no others",
  async () => {
    using tool = executable();
    const mock = startMock({ accounts: [{ alias: "alice" }], clock: systemDeps().clock });
    await using network = await corporateNetwork(["backend.test"], () => mock.origin);
    await using proxy = await network.proxy();
    mkdirSync(tool.root);
    writeFileSync(join(tool.root, "config.toml"), '[proxy]\nupstream_base_url = "https://backend.test/x"\n');
    const store = join(tool.directory, "store.pem");
    writeFileSync(store, readFileSync(STORE, "utf8") + readFileSync(network.ca, "utf8"));
    const doctor = [tool.path, "doctor", "--codex-bin", "/nowhere/codex"];
    const env = tool.env({ HTTPS_PROXY: proxy.url, CODEXLB_TOKEN_URL: mock.tokenUrl });
    const output = async (argv: string[]) => {
      const child = Bun.spawn(argv, { env, cwd: tool.directory, stdout: "pipe", stderr: "ignore" });
      return child.stdout.text();
    };
    expect(await output(doctor)).toContain("the certificate of backend.test is not trusted");
    const mounted = ["sh", "-c", 'mount --bind "$0" "$1" && shift && exec "$@"', store, STORE, ...doctor];
    expect(await output([...UNSHARE, ...mounted])).toContain("https://backend.test/x is reachable");
    await mock.stop();
  },
);
