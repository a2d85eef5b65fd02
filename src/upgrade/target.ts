// Determines which of the release's builds is for this machine.

import { readdirSync, readFileSync } from "node:fs";

export interface Machine {
  /** `process.platform`. */
  readonly platform: string;
  /** `process.arch`. */
  readonly arch: string;
  /** Whether the system's C library is musl. */
  readonly isMusl: boolean;
  /** Whether the processor has AVX2, which the ordinary build for x64 needs. */
  readonly hasAvx2: boolean;
}

/** The name of the build, for example `linux-x64-musl`. */
export function targetOf({ platform, arch, isMusl, hasAvx2 }: Machine): string {
  if (isMusl) return `${platform}-${arch}-musl`;
  return platform === "linux" && arch === "x64" && !hasAvx2 ? "linux-x64-baseline" : `${platform}-${arch}`;
}

/** This machine. */
export function thisMachine(): Machine {
  return {
    platform: process.platform,
    arch: process.arch,
    isMusl: process.platform === "linux" && hasMuslLoader(),
    hasAvx2: read("/proc/cpuinfo").includes(" avx2 "),
  };
}

// --- internal ---

/** Checks the loader that started this process, or the installed loaders if the kernel does not list it. */
function hasMuslLoader(): boolean {
  const maps = read("/proc/self/maps");
  if (maps !== "") return maps.includes("/ld-musl-");
  try {
    return readdirSync("/lib").some((name) => name.startsWith("ld-musl-"));
  } catch {
    return false;
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
