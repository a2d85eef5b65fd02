// States of the live status, made with its model from events.

import type { StatusReply } from "../../src/cli/status/status-reply.ts";
import type { Key, NamedKey } from "../../src/cli/terminal/keyboard.ts";
import { step } from "../../src/cli/watch/watch-model.ts";
import {
  INITIAL_STATE,
  type WatchEffect,
  type WatchEvent,
  type WatchState,
} from "../../src/cli/watch/watch-state.ts";
import { pictureOf, type WatchCanvas } from "../../src/cli/watch/watch-view.ts";
import type { StatusAnswer } from "../../src/core/status-schema.ts";
import { NOW } from "./status-documents.ts";

export const answered = (status: StatusAnswer): WatchEvent => ({
  kind: "answered",
  reply: { status, url: "http://127.0.0.1:8765/" } satisfies StatusReply,
});

export const FAILED: WatchEvent = {
  kind: "failed",
  message: "contacting the proxy at http://127.0.0.1:8765: connection refused",
  next: "start it with: codexlb proxy start",
  url: "http://127.0.0.1:8765",
};

/** A key event. A text with more than one character is the name of a key. */
export const key = (name: string): WatchEvent => ({
  kind: "key",
  key: ([...name].length === 1 ? { typed: name } : (name as NamedKey)) as Exclude<
    Key,
    "interrupt" | "suspend"
  >,
});

/** A state with the effects that led to it. */
export interface Walk {
  readonly state: WatchState;
  readonly effects: readonly WatchEffect[];
  /** Continues with events, or keys as `key` names them. */
  and(...events: (WatchEvent | string)[]): Walk;
}

/** The state after `events`, one second before `NOW`. The screen is drawn after each event. */
export function walk(...events: (WatchEvent | string)[]): Walk {
  return walkFrom(INITIAL_STATE, events);
}

/** The screen of `state`. Default: 80 columns, 24 rows, UTF-8 and no colours. */
export function screenOf(state: WatchState, canvas: Partial<WatchCanvas> = {}): readonly string[] {
  return pictureOf(state, { ...SCREEN, ...canvas }).lines;
}

// --- internal ---

const SCREEN: WatchCanvas = { columns: 80, rows: 24, nowMs: NOW, colour: false, utf8: true, wide: false };

function walkFrom(from: WatchState, events: readonly (WatchEvent | string)[]): Walk {
  const effects: WatchEffect[] = [];
  let state = from;
  for (const event of events) {
    const next = step(state, typeof event === "string" ? key(event) : event, NOW - 1000);
    effects.push(...next.effects);
    const { viewport } = pictureOf(next.state, SCREEN);
    state = step(next.state, { kind: "drawn", viewport }, NOW - 1000).state;
  }
  return { state, effects, and: (...more) => walkFrom(state, more) };
}
