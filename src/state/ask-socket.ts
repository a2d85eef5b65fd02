// Sends one request to a unix socket by system calls, because setting up one of Bun's clients takes longer than the
// response. The calls block, which is acceptable in a program that does nothing else meanwhile.

/**
 * The body of the response to `GET target` from the server at `path`, if its status is 200 and it arrives in one piece;
 * undefined otherwise, or if there is no response within `seconds`. Throws if the C library has another name, or if this
 * Bun has no FFI.
 */
export function askSocket(path: string, target: string, seconds: number): string | undefined {
  const { dlopen, ptr } = (Bun as unknown as WithFFI).FFI;
  const system = process.platform === "darwin" ? DARWIN : LINUX;
  const { symbols: libc } = dlopen(system.library, {
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
    connect: { args: ["i32", "ptr", "u32"], returns: "i32" },
    send: { args: ["i32", "ptr", "u64", "i32"], returns: "i64" },
    recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i64" },
  });
  const encoder = new TextEncoder();
  const address = encoder.encode(`  ${path}\0`);
  system.setHead(address);
  const request = encoder.encode(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  const timeout = new Int32Array([seconds, 0, 0, 0]);
  const answer = new Uint8Array(ANSWER_BYTES);
  // The system closes the socket when the program ends.
  const socket = libc.socket(AF_UNIX, SOCK_STREAM, 0);
  libc.setsockopt(socket, system.level, system.receiveTimeout, ptr(timeout), timeout.byteLength);
  if (libc.connect(socket, ptr(address), address.length) !== 0) return undefined;
  libc.send(socket, ptr(request), request.length, 0);
  const length = Number(libc.recv(socket, ptr(answer), answer.length, 0));
  if (length <= 0) return undefined;
  const text = new TextDecoder().decode(answer.subarray(0, length));
  const body = text.indexOf(HEAD_END);
  return text.startsWith(OK) && body > 0 ? text.slice(body + HEAD_END.length) : undefined;
}

// --- internal ---

/** The base of the module bun:ffi, whose import takes longer than everything that is done here. */
interface WithFFI {
  readonly FFI: Pick<typeof import("bun:ffi"), "dlopen" | "ptr">;
}

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const ANSWER_BYTES = 16 * 1024;
const OK = "HTTP/1.1 200 ";
const HEAD_END = "\r\n\r\n";

interface System {
  readonly library: string;
  /** Sets the bytes before the name in an address (`struct sockaddr_un`). */
  setHead(address: Uint8Array): void;
  /** SOL_SOCKET. */
  readonly level: number;
  /** SO_RCVTIMEO. */
  readonly receiveTimeout: number;
}

const LINUX: System = {
  library: "libc.so.6",
  setHead: (address) => address.set([AF_UNIX, 0]),
  level: 1,
  receiveTimeout: 20,
};
const DARWIN: System = {
  library: "libSystem.B.dylib",
  setHead: (address) => address.set([address.length, AF_UNIX]),
  level: 0xffff,
  receiveTimeout: 0x1006,
};
