// Notifies the service manager of the proxy's state (sd_notify(3)): a datagram to the socket that NOTIFY_SOCKET names.
// Bun has no such sockets, so this file calls the C library.

import { FFIType, ptr } from "bun:ffi";
import type { Deps } from "../deps.ts";
import { messageOf } from "../errors.ts";
import { fromCLibrary } from "../state/c-library.ts";

export interface Supervisor {
  /** The proxy serves; the service manager shows `status`. Watchdog pings start here. */
  ready(status: string): void;
  /** The proxy reads its settings again; `ready` follows. */
  reloading(): void;
  /** The proxy shuts down, which takes at most `withinMs` milliseconds. Watchdog pings continue until it exits. */
  stopping(status: string, withinMs: number): void;
}

/**
 * Does nothing if no service manager asks to be notified. A notification that fails is a warning, once; the proxy
 * continues. If WATCHDOG_USEC is set for this process, `WATCHDOG=1` is sent from the event loop at half of that time,
 * so that the service manager restarts a proxy whose event loop is stuck.
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
      if (!hasWarned) log.warn(`notifying the service manager at ${address}: ${messageOf(error)}`);
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

/** How long the service manager waits for a ping, in milliseconds; 0 if it does not wait for one from this process. */
function watchdogMs({ WATCHDOG_USEC: micros = "", WATCHDOG_PID: pid }: Deps["env"]): number {
  if (!/^\d{1,15}$/.test(micros) || (pid !== undefined && pid !== String(process.pid))) return 0;
  return Number(micros) / 1000;
}

/** Looked up once, because pings are sent for as long as the proxy runs, and every look-up compiles its functions again. */
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

/** Of the system's clock: Bun's own begins with the process. */
function monotonicMicroseconds(): bigint {
  const time = new BigInt64Array(2);
  cLibrary().clock_gettime(CLOCK_MONOTONIC, ptr(time));
  const [seconds = 0n, nanoseconds = 0n] = time;
  return seconds * 1_000_000n + nanoseconds / 1_000n;
}

/** `struct sockaddr_un`: `@name` is an abstract name, which starts with a zero byte and has no terminator. */
function socketName(address: string): Buffer {
  const family = Buffer.alloc(2);
  new Uint16Array(family.buffer, family.byteOffset, 1)[0] = AF_UNIX;
  const path = address.startsWith("@") ? `\0${address.slice(1)}` : `${address}\0`;
  return Buffer.concat([family, Buffer.from(path)]);
}
