// Runs executables for another processor under qemu, and executables for another C library in a root directory. Uses
// namespaces, so it needs no privileges and changes nothing outside them.

import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";

export interface ForeignMachine {
  /** A static qemu, which the kernel starts for the executable and for each of its child processes. */
  readonly emulator?: string;
  /** A root directory with libraries. Without it the executable uses this machine's libraries. */
  readonly root?: string;
  /** Variables for qemu, such as `QEMU_CPU` and `QEMU_LD_PREFIX`. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface ForeignRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** The suffix that the name of an emulated executable must have. */
export const EMULATED = ".emulated";

/** Why this machine cannot provide `machine`; undefined if it can. */
export function whyNoMachine({ emulator, root }: ForeignMachine): string | undefined {
  if (process.platform !== "linux") return "namespaces require Linux";
  if (emulator !== undefined && !existsSync(emulator))
    return `${emulator} is missing (Debian package qemu-user-static)`;
  if (root !== undefined && !existsSync(root)) return `${root} is missing`;
  if (Bun.which("unshare") === null) return "unshare is missing (Debian package util-linux)";
  const trial = Bun.spawnSync([...UNSHARE, "sh", "-c", SCRIPT, "sh", "true"], {
    env: { PATH: process.env.PATH ?? "", EMULATOR: emulator ?? "" },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  return trial.success ? undefined : `namespaces: ${trial.stderr.toString().trim()}`;
}

/** Runs `command` on `machine` and waits until it exits. Paths are relative to the machine's root. */
export async function runOn(
  { emulator = "", root = "", env = {} }: ForeignMachine,
  command: readonly string[],
): Promise<ForeignRun> {
  if (root !== "")
    for (const name of ["dev", "proc", "tmp"]) mkdirSync(join(root, name), { recursive: true });
  const child = Bun.spawn([...UNSHARE, "sh", "-c", SCRIPT, "sh", ...command], {
    env: { PATH: process.env.PATH ?? "", HOME: "/tmp", EMULATOR: emulator, ROOT: root, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, out, err };
}

// --- internal ---

const UNSHARE = [
  "unshare",
  "--user",
  "--map-root-user",
  "--mount",
  "--pid",
  "--fork",
  "--kill-child",
  "--mount-proc",
];

/**
 * The kernel starts the emulator for names with the suffix. With the flag F it opens the emulator before the root
 * changes. The shell remains the first process of the namespace, which signals do not kill.
 */
const SCRIPT = `
set -e
if [ -n "$EMULATOR" ]; then
  mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
  echo ":codexlb:E::${EMULATED.slice(1)}::$EMULATOR:F" > /proc/sys/fs/binfmt_misc/register
fi
if [ -n "$ROOT" ]; then
  mount --rbind /proc "$ROOT/proc"
  mount --rbind /dev "$ROOT/dev"
  set -- chroot "$ROOT" "$@"
fi
status=0
"$@" || status=$?
exit "$status"
`;
