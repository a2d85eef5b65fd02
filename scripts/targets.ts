// Lists the platforms that codexlb is built for, by their names in releases.

/** Every target of a release, in the order of the documentation. */
export const RELEASE_TARGETS = [
  "linux-x64",
  "linux-x64-baseline",
  "linux-arm64",
  "linux-x64-musl",
  "linux-arm64-musl",
  "darwin-x64",
  "darwin-arm64",
] as const;

export type ReleaseTarget = (typeof RELEASE_TARGETS)[number];

/** The name of `target` in Bun's packages, which spell arm64 as aarch64, such as `linux-aarch64-musl`. */
export function runtimeNameOf(target: string): string {
  return target.replace("arm64", "aarch64");
}

/** The target whose Bun package is `name`; the reverse of `runtimeNameOf`. */
export function targetOf(name: string): string {
  return name.replace("aarch64", "arm64");
}
