// Tests scripts/release/pin-images.ts with a stand-in for Docker and the registry.

import { describe, expect, test } from "bun:test";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempDirectory } from "../support/temp.ts";

const SCRIPT = join(import.meta.dir, "..", "..", "scripts", "release", "pin-images.ts");
const DOCKERFILE =
  "FROM --platform=$BUILDPLATFORM node:24 AS tools\nFROM tools AS build\nFROM debian:12-slim AS login\n";
const digest = (digit: string) => `sha256:${digit.repeat(64)}`;

/** Runs the script on `dockerfile`, with the shell script `docker` in place of Docker. */
function pin(dockerfile: string, docker: string) {
  using temp = tempDirectory();
  const path = join(temp.path, "Dockerfile");
  writeFileSync(path, dockerfile);
  writeFileSync(join(temp.path, "docker"), `#!/bin/sh\n${docker}\n`);
  chmodSync(join(temp.path, "docker"), 0o755);
  const ran = Bun.spawnSync([process.execPath, SCRIPT, path], {
    env: { PATH: `${temp.path}:${process.env.PATH}` },
    stdout: "pipe",
    stderr: "pipe",
  });
  return { code: ran.exitCode, err: ran.stderr.toString(), text: readFileSync(path, "utf8") };
}

const answer = (node: string, debian: string) =>
  `test "$1 $2 $3 $6" = "buildx imagetools inspect {{json .Manifest.Digest}}" || exit 9
case "$4" in node:24) echo '"${digest(node)}"' ;; debian:12-slim) echo '"${digest(debian)}"' ;; *) exit 8 ;; esac`;

describe("pinning the base images", () => {
  test("adds a digest to each tag, and replaces it with a newer one later", () => {
    const first = pin(DOCKERFILE, answer("a", "b"));
    expect(first).toEqual({
      code: 0,
      err: "",
      text: `FROM --platform=$BUILDPLATFORM node:24@${digest("a")} AS tools\nFROM tools AS build\nFROM debian:12-slim@${digest("b")} AS login\n`,
    });
    expect(pin(first.text, answer("c", "b")).text).toBe(first.text.replace(digest("a"), digest("c")));
  });

  test.each([
    ["the registry cannot be reached", "echo 'no route to host' >&2; exit 1", "no route to host"],
    ["Docker prints no digest", "echo 'Name: node:24'", "Docker printed Name: node:24"],
  ])("does not change the Dockerfile if %s", (_what, docker, message) => {
    const { code, err, text } = pin(DOCKERFILE, docker);
    expect([code, text]).toEqual([1, DOCKERFILE]);
    expect(err).toContain(`pin-images: getting the digest of node:24: ${message}`);
    expect(err).toContain("check the output of: docker buildx imagetools inspect node:24");
  });
});
