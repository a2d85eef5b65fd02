// Links the pinned Bun to .tools/bun. Uses the one on PATH if it has the pinned version, and fetches it otherwise.

import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { BUN_VERSION, fetchRuntime, hostTarget, TOOLS } from "./bun-runtime.mjs";

const binary = onPath() ?? fetchRuntime(hostTarget());
mkdirSync(TOOLS, { recursive: true });
rmSync(join(TOOLS, "bun"), { force: true });
symlinkSync(binary, join(TOOLS, "bun"));

function onPath() {
  try {
    const found = execFileSync("bun", ["-e", "console.log(Bun.version, process.execPath)"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
    const [version, path] = found.split(" ");
    return version === BUN_VERSION ? path : undefined;
  } catch {
    return undefined; // no Bun on PATH
  }
}
