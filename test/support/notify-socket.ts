// Plays the service manager in sd_notify(3): receives datagrams with system calls, because Bun has no datagram sockets.

import { FFIType, ptr } from "bun:ffi";
import { fromCLibrary } from "../../src/state/c-library.ts";

export interface NotifySocket extends Disposable {
  /** The value of NOTIFY_SOCKET. */
  readonly address: string;
  /** Returns the messages since the last call. */
  read(): string[];
}

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;

/** Opens the socket. `address` is a path, or `@name` for an abstract name. Works on Linux only. */
export function notifySocket(address: string): NotifySocket {
  const { i32, u32, u64 } = FFIType;
  const libc = fromCLibrary({
    socket: { args: [i32, i32, i32], returns: i32 },
    bind: { args: [i32, FFIType.ptr, u32], returns: i32 },
    recv: { args: [i32, FFIType.ptr, u64, i32], returns: FFIType.i64 },
    close: { args: [i32], returns: i32 },
  });
  const name = Buffer.from(address.startsWith("@") ? `\0${address.slice(1)}` : `${address}\0`);
  const target = Buffer.concat([Buffer.from([AF_UNIX, 0]), name]);
  const socket = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  if (libc.bind(socket, ptr(target), target.length) !== 0) throw new Error(`binding ${address}`);
  return {
    address,
    read: () => {
      const messages: string[] = [];
      const buffer = Buffer.alloc(4096);
      for (;;) {
        const length = Number(libc.recv(socket, ptr(buffer), buffer.length, 0));
        if (length < 0) return messages;
        messages.push(buffer.subarray(0, length).toString());
      }
    },
    [Symbol.dispose]: () => void libc.close(socket),
  };
}
