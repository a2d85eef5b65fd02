// The rows of the benchmark.

import type { RowName } from "../figures.ts";
import type { Lab } from "../lab.ts";
import type { Samples } from "../samples.ts";
import { manyAccounts } from "./accounts.ts";
import { failover } from "./failover.ts";
import { hops } from "./hops.ts";
import { memory } from "./memory.ts";
import { replicas } from "./replicas.ts";
import { start } from "./start.ts";
import { usageRecord } from "./usage-record.ts";
import { usageYear } from "./usage-year.ts";
import { usualRow } from "./usual.ts";

/** Measures a row, and adds its figures to the samples. */
type Row = (lab: Lab, samples: Samples) => Promise<void>;

export const ROWS: Readonly<Record<RowName, Row>> = {
  a: usualRow("a"),
  b: usualRow("b"),
  c: usualRow("c"),
  d: usualRow("d"),
  e: usualRow("e", "e.echo", "e.dial"),
  f: usualRow("f.up", "f.down"),
  g: memory,
  h: manyAccounts,
  i: hops,
  j: start,
  k: failover,
  l: usageRecord,
  m: usageYear,
  n: replicas,
};
