// Advises how to upgrade this executable.

import { realpathSync } from "node:fs";
import { advised } from "../../advice.ts";
import type { Deps } from "../../deps.ts";
import { programRunner } from "../../service/run-program.ts";
import { packageOwner } from "../../upgrade/package-manager.ts";
import { isCompiled } from "../self.ts";

/** Advice for a command that is older than the running proxy, which has `version`. */
export async function upgradeAdvice(version: string, { env }: Pick<Deps, "env">): Promise<string> {
  if (!isCompiled()) return `update these sources to version ${version}`;
  const path = realpathSync(process.execPath);
  const owner = await packageOwner(path, version, programRunner(env));
  return `upgrade this command (${path}) to version ${version}: ${owner?.command ?? `${advised("upgrade")} --from DIR|URL`}`;
}
