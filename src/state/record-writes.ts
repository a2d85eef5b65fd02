// How a record is written: each change raises the record's revision, and changed figures also that of the figures.

import type { Quota } from "../core/quota.ts";
import type { UpstreamRecord } from "./account-record.ts";

/** Adds the record to `changed` after each change, so that the pool knows what it has to compute again. */
export function collectChanges(record: UpstreamRecord, changed: Set<UpstreamRecord>): void {
  if (record.changed !== changed) change(record, { changed });
}

type Changeable<Record> = { -readonly [Field in keyof Record]: Record[Field] };

/** The record with writable fields. No other code may write to a record. */
export function changeable(record: UpstreamRecord): Changeable<UpstreamRecord> {
  return record;
}

/** Replaces these fields of the record. */
export function change<Of extends UpstreamRecord>(record: Of, fields: Partial<Of>): void {
  Object.assign(record, fields);
  raise(record);
}

/** The record has changed. */
export function raise(record: UpstreamRecord): void {
  changeable(record).revision++;
  record.changed?.add(record);
}

/** Replaces the figures of the record, or something else that its capacity is computed from. */
export function changeFigures(record: UpstreamRecord, quota: Quota): void {
  change(record, { quota, figuresRevision: record.figuresRevision + 1 });
}
