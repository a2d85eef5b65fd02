// The texts of turns that most turns share: usage.db has each combination of them once, and a turn refers to it.

import { BoundedMap, remembered } from "../../core/bounded-map.ts";
import type { TurnRecord } from "../../core/turn-record.ts";
import { shortLine } from "../../printable.ts";

/** The columns of `labels`, without the id. */
export const LABELS = [
  ...(["kind", "transport", "outcome", "code", "account", "identity", "proxy", "choice"] as const),
  ...(["requested_model", "served_model", "client", "project"] as const),
] as const;

export interface LabelSet {
  /** The texts in the order of `LABELS`: short, without control characters, and "" where nothing is known. */
  readonly texts: readonly string[];
  /** The id in the file; undefined until it is known. */
  id: number | undefined;
}

export interface LabelSets {
  /** The labels of `turn`. `identity`: the hash of the account's identity. */
  of(turn: TurnRecord, identity: string | undefined): LabelSet;
  /** Forgets all sets, because their ids no longer count. */
  clear(): void;
}

/** Finds the labels of turns. Equal ones are the same object, unless there were thousands in between. */
export function createLabelSets(): LabelSets {
  const known = new BoundedMap<string, LabelSet>(MOST_KNOWN);
  let recent: RecentSet[] = [];
  let oldest = 0;
  const find = (turn: TurnRecord, identity: string | undefined): LabelSet => {
    const texts = textsOf(turn, identity);
    const key = texts.join("\0");
    const found = known.get(key) ?? { texts, id: undefined };
    known.set(key, found);
    recent[oldest] = { turn, identity, set: found };
    oldest = (oldest + 1) % MOST_RECENT;
    return found;
  };
  return {
    of: (turn, identity) => {
      for (const one of recent) if (one.identity === identity && isAlike(one.turn, turn)) return one.set;
      return find(turn, identity);
    },
    clear: () => {
      known.clear();
      recent = [];
      oldest = 0;
    },
  };
}

// --- internal ---

const MOST_KNOWN = 4_096;

/** The sets that the latest turns had. Comparing with them takes a fraction of the time of building a key. */
const MOST_RECENT = 8;

interface RecentSet {
  readonly turn: TurnRecord;
  readonly identity: string | undefined;
  readonly set: LabelSet;
}

/** Whether two turns have the same labels. */
function isAlike(one: TurnRecord, other: TurnRecord): boolean {
  return (
    one.accountAlias === other.accountAlias &&
    one.choice === other.choice &&
    one.project === other.project &&
    one.requestedModel === other.requestedModel &&
    one.servedModel === other.servedModel &&
    one.outcome === other.outcome &&
    one.kind === other.kind &&
    one.code === other.code &&
    one.client === other.client &&
    one.proxy === other.proxy &&
    one.transport === other.transport
  );
}

function textsOf(turn: TurnRecord, identity: string | undefined): readonly string[] {
  const { kind, transport, outcome, code, accountAlias, proxy, choice } = turn;
  const { requestedModel, servedModel, client, project } = turn;
  const texts: Readonly<Record<(typeof LABELS)[number], string | undefined>> = {
    kind,
    transport,
    outcome,
    code,
    account: accountAlias,
    identity,
    proxy,
    choice,
    requested_model: requestedModel,
    served_model: servedModel,
    client,
    project,
  };
  return LABELS.map((name) => cleaned(texts[name] ?? ""));
}

/** The longest text in a column, in UTF-16 units: longer than the path of most projects. */
const LONGEST_TEXT = 300;

/** A text of a client or an upstream as a cell: short, and without control characters. */
export const cleaned = remembered(1_024, (value) => shortLine(value, LONGEST_TEXT));
