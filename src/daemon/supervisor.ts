// Tells the service manager how the proxy is (sd_notify(3)): a datagram to the socket that NOTIFY_SOCKET names. Bun
// has no such sockets, so it is done by the system's own calls.

import { FFIType, ptr } from "bun:ffi";
import type { Deps } from "../deps.ts";
import { messageOf } from "../errors.ts";
import { fromCLibrary } from "../state/c-library.ts";

export interface Supervisor {
  /** It serves; `status` is what the service manager shows. */
  ready(status: string): void;
  /** The settings are read again; `ready` follows. */
  reloading(): void;
  stopping(status: string): void;
}

/** Says nothing where nobody asked for it. A failure is told on stderr and stops nothing. */
export function createSupervisor({ env, log }: Pick<Deps, "env" | "log">): Supervisor {
  const address = env.NOTIFY_SOCKET;
  const tell = (...lines: string[]): void => {
    if (!address) return;
    try {
      send(address, lines.join("\n"));
    } catch (error) {
      log.warn(`telling the service manager at ${address}: ${messageOf(error)}`);
    }
  };
  return {
    ready: (status) => tell("READY=1", `STATUS=${status}`),
    reloading: () => tell("RELOADING=1", `MONOTONIC_USEC=${monotonicMicroseconds()}`),
    stopping: (status) => tell("STOPPING=1", `STATUS=${status}`),
  };
}

// --- internal ---

const CLOCK_MONOTONIC = 1;
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;

function send(address: string, text: string): void {
  if (process.platform !== "linux") throw new Error("it is done on Linux only");
  const { i32, u32, u64 } = FFIType;
  const libc = fromCLibrary({
    socket: { args: [i32, i32, i32], returns: i32 },
    sendto: { args: [i32, FFIType.ptr, u64, i32, FFIType.ptr, u32], returns: FFIType.i64 },
    close: { args: [i32], returns: i32 },
  });
  const message = Buffer.from(text);
  const target = socketName(address);
  const socket = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  try {
    const sent = libc.sendto(socket, ptr(message), message.length, MSG_NOSIGNAL, ptr(target), target.length);
    if (Number(sent) !== message.length) throw new Error("nobody listens there");
  } finally {
    libc.close(socket);
  }
}

/** Of the system's clock: Bun's own begins with the process. */
function monotonicMicroseconds(): bigint {
  const libc = fromCLibrary({
    clock_gettime: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
  });
  const time = new BigInt64Array(2);
  libc.clock_gettime(CLOCK_MONOTONIC, ptr(time));
  const [seconds = 0n, nanoseconds = 0n] = time;
  return seconds * 1_000_000n + nanoseconds / 1_000n;
}

/** `struct sockaddr_un`: `@name` is a name without a file, which begins with a zero and ends where it ends. */
function socketName(address: string): Buffer {
  const family = Buffer.alloc(2);
  new Uint16Array(family.buffer, family.byteOffset, 1)[0] = AF_UNIX;
  const path = address.startsWith("@") ? `\0${address.slice(1)}` : `${address}\0`;
  return Buffer.concat([family, Buffer.from(path)]);
}
