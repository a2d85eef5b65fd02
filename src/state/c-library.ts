// Looks up functions of the C library that Bun does not offer. The library has a different name on each system.

import { dlopen, type FFIFunction } from "bun:ffi";

const NAMES: Readonly<Record<string, readonly string[]>> = {
  linux: ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"],
  darwin: ["libSystem.B.dylib"],
};

/** The functions from the C library. Throws if no known library has all of them. */
export function fromCLibrary<Functions extends Record<string, FFIFunction>>(functions: Functions) {
  for (const name of NAMES[process.platform] ?? []) {
    try {
      return dlopen(name, functions).symbols;
    } catch {
      // try the next name
    }
  }
  throw new Error(
    `the C library of this ${process.platform} system has no ${Object.keys(functions).join(", ")}`,
  );
}
