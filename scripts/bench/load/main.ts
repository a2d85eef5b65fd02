// Runs a load in its own process, so that its CPU time does not count as the proxy's.
//
//   argument: a LoadSpec as JSON
//   stdin:    a number of operations per line; the process exits at the end of stdin
//   stdout:   `ready`, then one line of LoadFigures as JSON for each number

import { createInterface } from "node:readline";
import { prepareFailovers } from "./failovers.ts";
import { prepareIdle } from "./idle.ts";
import { prepareRequests } from "./requests.ts";
import { prepareDials, prepareSockets } from "./sockets.ts";
import type { Load, LoadSpec } from "./spec.ts";
import { prepareStreams } from "./streams.ts";

function prepare(spec: LoadSpec): Promise<Load> {
  switch (spec.kind) {
    case "requests":
      return prepareRequests(spec);
    case "streams":
      return prepareStreams(spec);
    case "sockets":
      return prepareSockets(spec);
    case "dials":
      return prepareDials(spec);
    case "idle":
      return prepareIdle(spec);
    case "failovers":
      return prepareFailovers(spec);
    default:
      return spec satisfies never;
  }
}

const load = await prepare(JSON.parse(process.argv[2] ?? ""));
console.log("ready");
for await (const line of createInterface({ input: process.stdin }))
  console.log(JSON.stringify(await load(Number(line))));
process.exit(0);
