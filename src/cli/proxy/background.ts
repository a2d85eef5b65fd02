// Starts a proxy that continues after the command that started it.

import { closeSync, fstatSync, openSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { makePrivateDirectory } from "../../state/atomic-file.ts";
import { readConfigText } from "../../state/config.ts";
import { nameNote, readConfig } from "../../state/config-source.ts";
import type { Layout } from "../../state/layout.ts";
import { withAbsolutePaths } from "../../state/setting-path.ts";
import type { CommandContext } from "../context.ts";
import { ROOT_LOCKED_EXIT } from "../run/root-locked.ts";
import { selfCommand } from "../self.ts";

/** Why a proxy did not start. */
export interface StartFailure {
  /** Its last error message. */
  readonly why: string;
  /** What its error says to do; undefined if it says nothing. */
  readonly next: string | undefined;
  /** Another process owns the root: it may exit, or be a proxy that is starting for another run. */
  readonly isRootLocked: boolean;
}

/** The file in ROOT/logs that gets the output of a proxy in the background. */
export const BACKGROUND_LOG = "auto-start.log";

/**
 * Starts a proxy with `flags` on the root, which waits for one that is shutting down. Resolves to undefined when it
 * listens, else to the failure. The proxy has no terminal; its output goes to ROOT/logs.
 */
export async function startInBackground(
  { layout, deps }: CommandContext,
  flags: readonly string[],
): Promise<StartFailure | undefined> {
  makePrivateDirectory(layout.logs);
  const logPath = join(layout.logs, BACKGROUND_LOG);
  if ((statSync(logPath, { throwIfNoEntry: false })?.size ?? 0) > LOG_BYTES) rmSync(logPath);
  // Several runs may start one at the same moment.
  const file = openSync(logPath, "a", 0o600);
  const before = fstatSync(file).size;
  const isUnnamed = hasNoName(layout);
  try {
    const child = Bun.spawn([...selfCommand(), "proxy", "--root", layout.root, ...flags], {
      env: withAbsolutePaths(deps.env),
      cwd: layout.root,
      stdin: "ignore",
      stdout: "pipe",
      stderr: file,
      // Its own process group, because Ctrl-C on this terminal is for Codex.
      detached: true,
    });
    const reader = child.stdout.getReader();
    const { done } = await reader.read();
    if (done) {
      const code = await child.exited;
      const lines = readFileSync(logPath).subarray(before).toString().split("\n");
      const last = lines.findLastIndex(
        (one) => one.startsWith("codexlb: ") && !one.startsWith("codexlb: warning"),
      );
      // The next step follows the message, which is the last one.
      const next =
        last < 0
          ? ""
          : lines
              .slice(last + 1)
              .join("\n")
              .trim();
      return {
        why: lines[last]?.slice("codexlb: ".length) ?? "it exited immediately",
        next: next === "" ? undefined : next,
        isRootLocked: code === ROOT_LOCKED_EXIT,
      };
    }
    void reader.cancel();
    child.unref();
    if (isUnnamed) deps.log.info(nameNote(layout.config, readConfig(layout).proxy.name));
    return undefined;
  } finally {
    closeSync(file);
  }
}

// --- internal ---

/** True if the proxy will add its name to an existing config.toml. It reports that in a file that few people read. */
function hasNoName(layout: Layout): boolean {
  try {
    return (readConfigText(layout.config) ?? "").trim() !== "" && readConfig(layout).proxy.name === "";
  } catch {
    return false; // the proxy reports invalid settings
  }
}

/** A larger file is removed before the next proxy starts. */
const LOG_BYTES = 64 * 1024;
