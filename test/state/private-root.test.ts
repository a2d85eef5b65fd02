// A root that other users can access.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CodexlbError } from "../../src/errors.ts";
import { type Layout, layoutOf } from "../../src/state/layout.ts";
import { makePrivate, pathsForOthers, replaceableBy } from "../../src/state/private-root.ts";
import { type TempDirectory, tempDirectory } from "../support/temp.ts";

let temp: TempDirectory;
let layout: Layout;
let warnings: string[];
const log = { info: () => {}, warn: (message: string) => void warnings.push(message) };
const modeOf = (path: string) => statSync(path).mode & 0o777;
const me = { uid: process.getuid?.(), gid: process.getgid?.() };

beforeEach(() => {
  temp = tempDirectory();
  layout = layoutOf(join(temp.path, "root"));
  warnings = [];
  mkdirSync(join(layout.accounts, "alice"), { recursive: true, mode: 0o700 });
  mkdirSync(layout.logs, { mode: 0o700 });
  writeFileSync(join(layout.accounts, "alice", "auth.json"), "{}", { mode: 0o600 });
});
afterEach(() => temp[Symbol.dispose]());

describe("modes", () => {
  test("that give other users access are corrected at start, with one warning", () => {
    chmodSync(layout.root, 0o777);
    chmodSync(join(layout.accounts, "alice", "auth.json"), 0o644);
    writeFileSync(layout.sessions, "", { mode: 0o666 });
    writeFileSync(layout.events, "", { mode: 0o644 });
    const keyHome = `${layout.linkedHome}-key-0123456789ab`;
    mkdirSync(keyHome, { mode: 0o755 });
    writeFileSync(join(keyHome, "auth.json"), "{}", { mode: 0o644 });
    makePrivate(layout, log);
    expect(pathsForOthers(layout)).toEqual([]);
    expect(modeOf(layout.root)).toBe(0o700);
    expect(modeOf(join(layout.accounts, "alice", "auth.json"))).toBe(0o600);
    expect(warnings).toEqual([
      `other users could access ${layout.root}, ${layout.sessions}, ${keyHome} and 3 more; made private, so that now only you can`,
    ]);
  });

  test("that are correct are left alone, without a warning", () => {
    makePrivate(layout, log);
    expect(warnings).toEqual([]);
  });

  test("of files in a root that other users cannot enter are corrected without a warning", () => {
    chmodSync(join(layout.accounts, "alice", "auth.json"), 0o644);
    makePrivate(layout, log);
    expect(modeOf(join(layout.accounts, "alice", "auth.json"))).toBe(0o600);
    expect(warnings).toEqual([]);
  });

  test("of a link's target are not changed", () => {
    const outside = join(temp.path, "outside.toml");
    writeFileSync(outside, "", { mode: 0o644 });
    symlinkSync(outside, layout.config);
    makePrivate(layout, log);
    expect(modeOf(outside)).toBe(0o644);
  });
});

describe("a parent directory", () => {
  test("that everyone can write to lets others replace the root", () => {
    chmodSync(temp.path, 0o777);
    const problem = replaceableBy(layout.root);
    expect(problem?.code).toBe("root_not_private");
    expect(problem?.message).toContain(temp.path);
    expect(problem?.next).toBe(`run: chmod go-w ${temp.path}, or choose another --root`);
  });

  test("that everyone can write to, with the sticky bit (as /tmp), does not", () => {
    chmodSync(temp.path, 0o1777);
    expect(replaceableBy(layout.root)).toBeUndefined();
  });

  test("that the user's own group can write to does not", () => {
    chmodSync(temp.path, 0o775);
    expect(replaceableBy(layout.root)).toBeUndefined();
  });
});

describe("another user's", () => {
  /** A user who owns none of these files. */
  const other = { uid: 54_321, gid: 54_321 };

  test("root is refused with a next step", () => {
    expect(() => makePrivate(layout, log, other)).toThrow(
      new CodexlbError("root_not_private", `${layout.root} belongs to another user (uid ${me.uid})`, {
        next: `run: chown -R 54321 ${layout.root}`,
      }),
    );
    expect(replaceableBy(layout.root, other)?.next).toBe(`run: chown -R 54321 ${layout.root}`);
  });

  test.skipIf(me.uid !== 0)("parent directory is refused, too", () => {
    chownSync(temp.path, 54_320, 54_320);
    chownSync(layout.root, other.uid, other.gid);
    expect(replaceableBy(layout.root, other)?.message).toContain(`other users can write to ${temp.path}`);
  });

  test.skipIf(me.uid !== 0)("group that can write to a parent is refused", () => {
    chmodSync(temp.path, 0o770);
    chownSync(temp.path, other.uid, 54_320);
    chownSync(layout.root, other.uid, other.gid);
    expect(replaceableBy(layout.root, other)?.message).toContain(`other users can write to ${temp.path}`);
  });

  test.skipIf(me.uid !== 0)("root causes only a warning if the superuser runs the proxy", () => {
    chownSync(layout.root, other.uid, other.gid);
    makePrivate(layout, log);
    expect(warnings).toEqual([
      `${layout.root} belongs to another user (uid 54321); files that root creates there cannot be read by that user; run codexlb as that user instead: sudo -u '#54321' codexlb`,
    ]);
  });
});
