// The words for errors of the system: the reason, without codes and calls, and what to do.

import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf, systemNext, systemProblem } from "../src/errors.ts";
import { readTextIfPresent, unusable } from "../src/state/atomic-file.ts";
import { tempDirectory } from "./support/temp.ts";

/** An error as the runtime makes it. */
const systemError = (code: string, reason: string, call = "open") =>
  Object.assign(new Error(`${code}: ${reason}, ${call} '/p'`), { code, path: "/p", syscall: call });

describe("an error of the file system", () => {
  test.each([
    ["EACCES", "permission denied", "permission denied", "give this user access"],
    ["EPERM", "operation not permitted", "operation not permitted", "give this user access"],
    ["ENOSPC", "no space left on device", "no space left on the disk", "free some disk space"],
    ["EROFS", "read-only file system", "the file system is read-only", "use a directory"],
    ["ENOTDIR", "not a directory", "not a directory", "check the path"],
  ])("%s has words and a next step", (code, reason, words, next) => {
    const error = systemError(code, reason);
    expect([messageOf(error), systemProblem(error)]).toEqual([`/p: ${words}`, words]);
    expect(unusable("reading /p", error)).toMatchObject({
      message: `reading /p: ${words}`,
      next: expect.stringMatching(new RegExp(`^${next}`)),
    });
    expect(systemNext(error)).not.toMatch(code === "ENOSPC" ? /access/ : /space/);
  });

  test("that the runtime made has no code and no call", () => {
    using temp = tempDirectory();
    try {
      readFileSync(temp.path);
    } catch (error) {
      expect(systemProblem(error)).toBe("it is a directory, not a file");
    }
  });

  test("about a directory in place of a file asks to move it away", () => {
    using temp = tempDirectory();
    const path = join(temp.path, "config.toml");
    mkdirSync(path);
    expect(() => readTextIfPresent(path)).toThrow(
      expect.objectContaining({
        message: `reading ${path}: it is a directory, not a file`,
        next: "move it away; codexlb expects a text file there",
      }),
    );
  });
});

test("other errors keep their message", () => {
  expect(messageOf(new Error("E1: not of the system"))).toBe("E1: not of the system");
  expect(messageOf("text")).toBe("text");
  expect(systemNext(new Error("x"))).toBeUndefined();
});
