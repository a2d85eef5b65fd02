// What the status says about the whole pool, in addition to its accounts: turns that wait for a reset or a slot, a
// replica that cannot use its pool, and anchoring.

import { anchoredWords } from "./anchor/anchor-words.ts";
import { degradedNote } from "./cluster-words.ts";
import { counted } from "./count-words.ts";
import type { StatusAnswer } from "./status-schema.ts";
import { waitingWords } from "./waiting-words.ts";

/** Each note in words; empty if there is nothing to say. */
export function poolNotes(status: StatusAnswer, nowMs: number): string[] {
  const { waiting, queued_turns: queued } = status;
  const notes = [
    waiting && waitingWords({ ...waiting, untilMs: waiting.until_ms }, nowMs),
    queued === undefined ? undefined : `${counted(queued, "turn")} waiting for a slot on a full account`,
    degradedNote(status, nowMs),
    anchoredWords(status),
  ];
  return notes.filter((note) => note !== undefined);
}
