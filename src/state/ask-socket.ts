// One question to a unix socket by the system's own calls: setting up any of Bun's clients takes longer than the answer.
// It blocks, which is right for a program that does nothing else.

/**
 * The body of the answer to `GET target` by who listens at `path`, if it says 200 and comes in one piece; undefined when
 * it does not, or there is none within `seconds`. Throws where the C library goes by another name, or Bun has no such
 * calls.
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
  // The end of the program closes it.
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

/** What the module bun:ffi is made from. Importing that takes longer than all that is done with it here. */
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
  /** Puts what stands before the name into an address (`struct sockaddr_un`). */
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
