// Notifies the service manager of the proxy's state, as sd_notify(3) does: with a datagram to the socket in
// NOTIFY_SOCKET. Bun has no unix datagram sockets, so this file calls the C library.

import { FFIType, ptr } from "bun:ffi";
import type { Deps } from "../deps.ts";
import { systemProblem } from "../errors.ts";
import { fromCLibrary } from "../state/c-library.ts";

export interface Supervisor {
  /** Reports that the proxy serves, with a `status` for the service manager to show. Starts the watchdog pings. */
  ready(status: string): void;
  /** Reports that the proxy reloads its settings. Call `ready` afterwards. */
  reloading(): void;
  /** Reports a shutdown that takes at most `withinMs` milliseconds. Watchdog pings continue until the proxy exits. */
  stopping(status: string, withinMs: number): void;
}

/**
 * Creates the connection to the service manager. Does nothing without NOTIFY_SOCKET. Warns once if a notification
 * fails. If WATCHDOG_USEC is set for this process, the event loop sends `WATCHDOG=1` at half of that interval, so that
 * the service manager restarts a proxy whose event loop is stuck.
 */
export function createSupervisor({ env, log, clock }: Pick<Deps, "env" | "log" | "clock">): Supervisor {
  const address = env.NOTIFY_SOCKET;
  const pingMs = address ? watchdogMs(env) / 2 : 0;
  let isPinging = false;
  let hasWarned = false;
  const notify = (...lines: string[]): void => {
    if (!address) return;
    try {
      send(address, lines.join("\n"));
    } catch (error) {
      if (!hasWarned) log.warn(`notifying the service manager at ${address}: ${systemProblem(error)}`);
      hasWarned = true;
    }
  };
  const ping = (): void => {
    notify("WATCHDOG=1");
    clock.after(pingMs, ping);
  };
  return {
    ready: (status) => {
      notify("READY=1", `STATUS=${status}`);
      if (isPinging || pingMs === 0) return;
      isPinging = true;
      ping();
    },
    reloading: () => {
      if (address) notify("RELOADING=1", `MONOTONIC_USEC=${monotonicMicroseconds()}`);
    },
    stopping: (status, withinMs) =>
      notify("STOPPING=1", `STATUS=${status}`, `EXTEND_TIMEOUT_USEC=${Math.ceil(withinMs) * 1000}`),
  };
}

// --- internal ---

const CLOCK_MONOTONIC = 1;
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;

/** How long the service manager waits for a ping, in milliseconds; 0 if it expects none from this process. */
function watchdogMs({ WATCHDOG_USEC: micros = "", WATCHDOG_PID: pid }: Deps["env"]): number {
  if (!/^\d{1,15}$/.test(micros) || (pid !== undefined && pid !== String(process.pid))) return 0;
  return Number(micros) / 1000;
}

/** Looked up only once, because every look-up compiles the functions again, and the proxy pings as long as it runs. */
let known: ReturnType<typeof lookUp> | undefined;

function lookUp() {
  const { i32, u32, u64 } = FFIType;
  return fromCLibrary({
    socket: { args: [i32, i32, i32], returns: i32 },
    sendto: { args: [i32, FFIType.ptr, u64, i32, FFIType.ptr, u32], returns: FFIType.i64 },
    close: { args: [i32], returns: i32 },
    clock_gettime: { args: [i32, FFIType.ptr], returns: i32 },
  });
}

function cLibrary(): ReturnType<typeof lookUp> {
  known ??= lookUp();
  return known;
}

function send(address: string, text: string): void {
  if (process.platform !== "linux") throw new Error("notifications are supported on Linux only");
  const libc = cLibrary();
  const message = Buffer.from(text);
  const target = socketName(address);
  const socket = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  try {
    const sent = libc.sendto(socket, ptr(message), message.length, MSG_NOSIGNAL, ptr(target), target.length);
    if (Number(sent) !== message.length) throw new Error("the socket does not accept the notification");
  } finally {
    libc.close(socket);
  }
}

/** Reads the system's monotonic clock, because Bun's own starts with the process. */
function monotonicMicroseconds(): bigint {
  const time = new BigInt64Array(2);
  cLibrary().clock_gettime(CLOCK_MONOTONIC, ptr(time));
  const [seconds = 0n, nanoseconds = 0n] = time;
  return seconds * 1_000_000n + nanoseconds / 1_000n;
}

/**
 * The `struct sockaddr_un` for `address`. `@name` is an abstract name: it starts with a zero byte and has no
 * terminator.
 */
function socketName(address: string): Buffer {
  const family = Buffer.alloc(2);
  new Uint16Array(family.buffer, family.byteOffset, 1)[0] = AF_UNIX;
  const path = address.startsWith("@") ? `\0${address.slice(1)}` : `${address}\0`;
  return Buffer.concat([family, Buffer.from(path)]);
}
