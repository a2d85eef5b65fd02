// What the engine reports about itself, and whether it can keep a pool.

import { z } from "zod";

/** The parts of `INFO` that matter here. */
export interface EngineInfo {
  /** `Redis 7.0.15`. */
  readonly product: string;
  /** Unique to each start of the server. */
  readonly runId: string;
  readonly uptimeMs: number;
  readonly problems: readonly EngineProblem[];
}

/** `severity`: `bad` if the server cannot be used, `warning` if it may lose data. */
export interface EngineProblem {
  readonly severity: "bad" | "warning";
  readonly what: string;
  readonly next: string;
}

/** Reads the answer to `INFO`. */
export function readInfo(text: string): EngineInfo {
  const fields = Fields.parse(
    Object.fromEntries(
      text.split(/\r?\n/).flatMap((line) => {
        const colon = line.indexOf(":");
        return colon < 0 || line.startsWith("#") ? [] : [[line.slice(0, colon), line.slice(colon + 1)]];
      }),
    ),
  );
  const isValkey = fields.valkey_version !== "";
  const version = isValkey ? fields.valkey_version : fields.redis_version;
  const product = `${isValkey ? "Valkey" : "Redis"} ${version || "of an unknown version"}`;
  return {
    product,
    runId: fields.run_id,
    uptimeMs: Number(fields.uptime_in_seconds) * 1000,
    problems: problemsOf(fields, product, isAtLeast(version, isValkey ? OLDEST_VALKEY : OLDEST_REDIS)),
  };
}

// --- internal ---

const OLDEST_REDIS = [6, 2] as const;
const OLDEST_VALKEY = [7, 2] as const;

const text = z.string().default("");

const Fields = z.looseObject({
  redis_version: text,
  valkey_version: text,
  run_id: text,
  uptime_in_seconds: text,
  role: text,
  maxmemory_policy: text,
  aof_enabled: text,
});

function problemsOf(fields: z.output<typeof Fields>, product: string, isNewEnough: boolean): EngineProblem[] {
  const problems: EngineProblem[] = [];
  const found = (severity: EngineProblem["severity"], what: string, next: string) =>
    problems.push({ severity, what, next });
  if (!isNewEnough)
    found("bad", `${product} is too old`, "use Redis 6.2 or Valkey 7.2, or a later version of either");
  if (fields.role !== "" && fields.role !== "master")
    found("bad", "the server is a copy of another one and accepts no writes", "name its primary server");
  const policy = fields.maxmemory_policy;
  if (policy !== "" && policy !== "noeviction")
    found(
      "bad",
      `the server removes data when its memory is full (maxmemory-policy ${policy})`,
      "set maxmemory-policy to noeviction on the server",
    );
  if (fields.aof_enabled === "0")
    found(
      "warning",
      "the server may lose the last changes when it is killed, because its append-only file is off",
      "set appendonly to yes on the server",
    );
  return problems;
}

function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [has = 0, hasMinor = 0] = version.split(".").map(Number);
  return has > major || (has === major && hasMinor >= minor);
}
