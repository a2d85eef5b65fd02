// Stand-ins for systemctl, launchctl, journalctl and loginctl. They record their calls and keep the state of the
// service manager in files.

import {
  appendFileSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

export interface FakeManagers {
  /** A PATH that leads only to these programs. */
  readonly path: string;
  /** The calls since the last read, one line each, without queries (`show`, `print`). */
  calls(): string[];
  /** One fact of the state: `enabled`, `running`, `broken` (no response from the manager), `failing` (no start). */
  is(fact: string): boolean;
  set(fact: string, value: boolean): void;
  /** Sets the process that systemd reports for a running service. Default: 4711. */
  setPid(pid: number): void;
  /** Makes the next restart of systemd hang. */
  hang(): Hang;
}

/** A restart that hangs until this is disposed. */
export interface Hang extends Disposable {
  /** Resolves when the restart has begun. */
  begun(): Promise<void>;
}

/** Creates the programs in `directory`. */
export function fakeManagers(directory: string): FakeManagers {
  const path = join(directory, "bin");
  const state = join(directory, "state");
  const log = join(directory, "calls");
  mkdirSync(path);
  mkdirSync(state);
  appendFileSync(log, "");
  const script = (name: string, body: string) =>
    writeFileSync(
      join(path, name),
      `#!/bin/sh\nPATH=/usr/bin:/bin\nlog='${log}'; state='${state}'; name='${name}'\nrecord() { echo "$name $*" >>"$log"; }\n${body}`,
      { mode: 0o755 },
    );
  script("systemctl", SYSTEMCTL);
  script("launchctl", LAUNCHCTL);
  script("journalctl", 'record "$@"\necho "the last line of the journal"\n');
  script("loginctl", "echo no\n");
  script("id", '[ "$2" = codexlb ]\n');
  let read = 0;
  return {
    path,
    calls: () => {
      const lines = readFileSync(log, "utf8").split("\n").slice(0, -1);
      const fresh = lines.slice(read);
      read = lines.length;
      return fresh;
    },
    is: (fact) => existsSync(join(state, fact)),
    set: (fact, value) =>
      value ? writeFileSync(join(state, fact), "") : rmSync(join(state, fact), { force: true }),
    setPid: (pid) => writeFileSync(join(state, "pid"), String(pid)),
    hang: () => {
      const [begun, held] = [join(state, "hanging"), join(state, "held")];
      Bun.spawnSync(["mkfifo", begun, held]);
      return {
        begun: async () => void (await Bun.spawn(["cat", begun], { stdout: "pipe" }).stdout.text()),
        // Opening both ends neither blocks nor fails if the waiting program was killed.
        [Symbol.dispose]: () => closeSync(openSync(held, constants.O_RDWR | constants.O_NONBLOCK)),
      };
    },
  };
}

const SYSTEMCTL = `
[ -e "$state/broken" ] && { echo "Failed to connect to bus: No medium found" >&2; exit 1; }
user=""; [ "$1" = --user ] && { user=" --user"; shift; }
verb="$1"; unit="$2"
[ "$verb" = show ] || record $user "$@"
case "$verb" in
  show)
    [ "$2" = --property=Version ] && { echo Version=252; exit 0; }
    active=inactive; sub=dead; pid=0; file=""
    [ -e "$state/running" ] && { active=active; sub=running; pid=$(cat "$state/pid" 2>/dev/null || echo 4711); }
    [ -e "$state/enabled" ] && file=enabled
    printf 'ActiveState=%s\\nSubState=%s\\nMainPID=%s\\nUnitFileState=%s\\nResult=success\\nNRestarts=0\\n' \\
      "$active" "$sub" "$pid" "$file" ;;
  enable) touch "$state/enabled" ;;
  restart)
    [ -p "$state/hanging" ] && { exec 3>"$state/hanging"; rm "$state/hanging"; exec 3>&-; read -r _ <"$state/held"; }
    [ -e "$state/failing" ] && { echo "Job for $unit failed." >&2; exit 1; }
    touch "$state/running" ;;
  stop) rm -f "$state/running" ;;
  disable) rm -f "$state/enabled" "$state/running" ;;
esac
exit 0
`;

const LAUNCHCTL = `
[ -e "$state/broken" ] && { echo "Could not find domain for user gui: 501" >&2; exit 112; }
[ "$1" = print ] || [ "$1" = print-disabled ] || record "$@"
case "$1" in
  print)
    case "$2" in */com.codexlb.proxy) ;; *) exit 0 ;; esac
    [ -e "$state/leaving" ] && { rm "$state/leaving"; exit 0; }
    [ -e "$state/enabled" ] || { echo "Could not find service" >&2; exit 113; }
    [ -e "$state/running" ] && printf '\\tstate = running\\n\\tpid = 4711\\n' || printf '\\tstate = waiting\\n'
    exit 0 ;;
  bootout)
    [ -e "$state/enabled" ] || exit 3
    rm -f "$state/enabled" "$state/running"; touch "$state/leaving" ;;
  bootstrap)
    [ -e "$state/leaving" ] && { echo "Bootstrap failed: 5: Input/output error" >&2; exit 5; }
    [ -e "$state/failing" ] && { echo "Bootstrap failed: 5: Input/output error" >&2; exit 5; }
    touch "$state/enabled" "$state/running" ;;
esac
exit 0
`;
