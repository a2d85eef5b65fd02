// An address where connecting never finishes: the queue of the listening socket is full, so the kernel drops further
// connection requests. Uses libc, because Bun's sockets accept every connection. Works on Linux only.

import { dlopen, FFIType, ptr } from "bun:ffi";
import { connect, type Socket } from "node:net";

export interface DeafAddress extends Disposable {
  readonly port: number;
}

const AF_INET = 2;
const SOCK_STREAM = 1;
/** More connections than the queue can hold. */
const CALLERS = 3;

export async function deafAddress(): Promise<DeafAddress> {
  const { symbols } = dlopen("libc.so.6", {
    socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
    bind: { args: [FFIType.i32, FFIType.ptr, FFIType.u32], returns: FFIType.i32 },
    listen: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
    getsockname: { args: [FFIType.i32, FFIType.ptr, FFIType.ptr], returns: FFIType.i32 },
    close: { args: [FFIType.i32], returns: FFIType.i32 },
  });
  const address = new Uint8Array(16);
  address.set([AF_INET, 0, 0, 0, 127, 0, 0, 1]);
  const length = new Uint32Array([address.byteLength]);
  const fd = symbols.socket(AF_INET, SOCK_STREAM, 0);
  if (symbols.bind(fd, ptr(address), address.byteLength) !== 0 || symbols.listen(fd, 0) !== 0)
    throw new Error("cannot create a listening socket");
  symbols.getsockname(fd, ptr(address), ptr(length));
  const port = new DataView(address.buffer).getUint16(2);
  const callers = Array.from({ length: CALLERS }, () => connect({ port, host: "127.0.0.1" }));
  for (const caller of callers) caller.on("error", () => {});
  await Promise.race(callers.map((caller) => new Promise((resolve) => caller.once("connect", resolve))));
  return {
    port,
    [Symbol.dispose]: () => {
      for (const caller of callers as Socket[]) caller.destroy();
      symbols.close(fd);
    },
  };
}
