// The live status of a proxy: requests the status repeatedly, and keeps showing the last one while requests fail.

import type { Deps } from "../../deps.ts";
import { messageOf } from "../../errors.ts";
import { hasUtf8 } from "../terminal/glyphs.ts";
import { openScreen } from "../terminal/screen.ts";
import { wantsColour } from "../terminal/terminal.ts";
import { frameLines, type StatusSnapshot } from "./frame.ts";

/** The status that a proxy returned. */
export type StatusReply = Pick<StatusSnapshot, "status" | "url">;

/** Options of `watchStatus`. */
export interface WatchOptions {
  /** The status to show first. */
  readonly first: StatusReply;
  /** Requests the status. Its errors appear on the screen. */
  readonly ask: () => Promise<StatusReply>;
  /** The pause between a reply and the next request, in ms. */
  readonly intervalMs: number;
  /** Show the columns of `--wide`. */
  readonly wide: boolean;
  readonly deps: Deps;
}

/** Shows the status until the user or a signal ends it. Resolves to the exit code. */
export async function watchStatus({ first, ask, intervalMs, wide, deps }: WatchOptions): Promise<number> {
  const { clock, env } = deps;
  const [colour, utf8] = [wantsColour(env), hasUtf8(env)];
  let snapshot: StatusSnapshot = { ...first, answeredMs: clock.now(), trouble: undefined };
  let askedMs: number | undefined;
  const screen = openScreen(({ columns, rows }) => {
    const nowMs = clock.now();
    const isOverdue = askedMs !== undefined && nowMs - askedMs > OVERDUE_MS;
    const trouble = snapshot.trouble ?? (isOverdue ? "no answer yet" : undefined);
    return frameLines(
      { ...snapshot, trouble },
      { columns, height: { kind: "screen", rows }, nowMs, colour, utf8, wide },
    );
  });
  const keepAsking = async (): Promise<never> => {
    for (;;) {
      await Bun.sleep(intervalMs);
      askedMs = clock.now();
      try {
        snapshot = { ...(await ask()), answeredMs: clock.now(), trouble: undefined };
      } catch (error) {
        snapshot = { ...snapshot, trouble: messageOf(error) };
      }
      askedMs = undefined;
      screen.redraw();
    }
  };
  const ticking = setInterval(screen.redraw, TICK_MS);
  try {
    return await Promise.race([screen.ended, keepAsking()]);
  } finally {
    clearInterval(ticking);
    screen.close();
  }
}

// --- internal ---

/** How often the screen is drawn, in ms, because ages and times to a reset change between replies. */
const TICK_MS = 1_000;
/** How long a reply may take before the screen shows that it is missing, in ms. */
const OVERDUE_MS = 2_000;
