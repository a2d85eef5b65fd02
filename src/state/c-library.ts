// Functions of the system that Bun does not offer: looked up in the C library, which goes by another name on each system.

import { dlopen, type FFIFunction } from "bun:ffi";

const NAMES: Readonly<Record<string, readonly string[]>> = {
  linux: ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"],
  darwin: ["libSystem.B.dylib"],
};

/** Throws when this system has no such library, or it does not have all of them. */
export function fromCLibrary<Functions extends Record<string, FFIFunction>>(functions: Functions) {
  for (const name of NAMES[process.platform] ?? []) {
    try {
      return dlopen(name, functions).symbols;
    } catch {
      // not this name: try the next
    }
  }
  throw new Error(
    `no ${Object.keys(functions).join(", ")} on ${process.platform}: this is not supported here`,
  );
}
