// Pins the base images of a Dockerfile by digest: `bun scripts/release/pin-images.ts [Dockerfile]`. Gets the current
// digest of each tag from the registry through Docker. Keeps the tags, so that Dependabot can propose newer digests.

import { readFileSync, writeFileSync } from "node:fs";
import { CodexlbError, messageOf } from "../../src/errors.ts";

try {
  const path = process.argv[2] ?? "Dockerfile";
  const text = readFileSync(path, "utf8");
  const pinned = pin(text);
  if (pinned !== text) writeFileSync(path, pinned);
  console.log(pinned === text ? `${path} has the newest digests` : `wrote the newest digests to ${path}`);
} catch (error) {
  console.error(`pin-images: ${messageOf(error)}`);
  if (error instanceof CodexlbError && error.next !== undefined) console.error(`  ${error.next}`);
  process.exit(1);
}

/**
 * Returns `text` with the current digest after the tag of every base image. Leaves the names of build stages unchanged.
 */
function pin(text: string): string {
  return text.replaceAll(
    /^(FROM (?:--platform=\S+ )?)((?:[\w.-]+:\d+\/)?[\w./-]+:[\w.-]+)(?:@sha256:[0-9a-f]{64})?(?= AS )/gm,
    (_all, from: string, image: string) => `${from}${image}@${digestOf(image)}`,
  );
}

/** The digest of the multi-platform index of `image`. Throws `not_found` if Docker cannot get it. */
function digestOf(image: string): string {
  const inspect = ["docker", "buildx", "imagetools", "inspect", image];
  // Without `json`, Docker prints a table for people instead of the digest.
  const run = Bun.spawnSync([...inspect, "--format", "{{json .Manifest.Digest}}"], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const answer = run.stdout.toString().trim();
  const digest = /^"(sha256:[0-9a-f]{64})"$/.exec(answer)?.[1];
  if (run.success && digest !== undefined) return digest;
  throw new CodexlbError(
    "not_found",
    `getting the digest of ${image}: ${run.stderr.toString().trim() || `Docker printed ${answer}`}`,
    { next: `check the output of: ${inspect.join(" ")}` },
  );
}
