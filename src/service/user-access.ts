// Checks that the user of a system-wide service can use the service's files.

import { CodexlbError } from "../errors.ts";
import type { RunProgram } from "./run-program.ts";
import type { ServiceOptions } from "./service.ts";
import { SYSTEM_ROOT } from "./systemd-unit.ts";

/**
 * Throws `file_unusable` if the user of the service cannot run the executable or write to the root. Only root can check
 * this, with `runuser`; without that program nothing is checked. `SYSTEM_ROOT` needs no check, because systemd creates
 * it for the user.
 */
export async function requireUserAccess(
  { binary, root, user }: ServiceOptions,
  run: RunProgram,
): Promise<void> {
  if (user === undefined) return;
  const isDenied = async (test: string, path: string) => {
    const { code, err } = await run(["runuser", "-u", user, "--", "test", test, path]);
    return code === 1 && err === "";
  };
  if (await isDenied("-x", binary))
    throw new CodexlbError("file_unusable", `the user ${user} of the service cannot run ${binary}`, {
      next: "install codexlb where all users can run it, such as /usr/local/bin, or name such a copy with --binary",
    });
  if (root !== SYSTEM_ROOT && (await isDenied("-w", root)))
    throw new CodexlbError("file_unusable", `the user ${user} of the service cannot write to ${root}`, {
      next: "create the directory for this user, or name another one with --root",
    });
}
