// The Lua scripts of a pool. Each runs atomically in the engine, and all times are the engine's, so the clocks of the
// replicas do not matter. test/cluster/protocol-model.ts has the same rules in TypeScript; a test compares both.
//
// All keys of a pool have one hash tag:
//   meta         hash     schema, pool (its id), check (a sealed text that shows whether a key is the pool's), identity
//                         (the pool and its key in one text, which every writer names), run (the engine's start),
//                         since (when that start was noticed)
//   generations  hash     the generation of each fact, by tag
//   records      hash     the sealed text of each fact, by tag
//   counters     hash     revision (raised by each change), fence (raised by each turn)
//   turns        hash     who renews a login now, by tag: "GENERATION FENCE UNTIL_MS REPLICA", or
//                         "GENERATION 0 0 dead:REASON" for one whose refresh token was refused for good
//
// member-scripts.ts has the scripts and keys of replicas and their processes, signal-scripts.ts those of signals,
// lease-scripts.ts those of leases, and usage-script.ts those of records of turns.

import { LEASE_SCRIPTS } from "./lease-scripts.ts";
import { MEMBER_PRELUDE, MEMBER_SCRIPTS } from "./member-scripts.ts";
import { SIGNAL_SCRIPTS } from "./signal-scripts.ts";
import { USAGE_SCRIPTS } from "./usage-script.ts";

/** The parts of the keys' names, in the order of KEYS. */
const KEYS = [
  "meta",
  "generations",
  "records",
  "counters",
  "turns",
  "replicas",
  "seen",
  "signals",
  "signal_order",
  "signal_ends",
  "leases",
  "usage",
  "senders",
  "processes",
  "holders",
] as const;

/**
 * After a restart of the engine, which may have lost its last changes, no login is renewed for this time, ms: replicas
 * send what they have renewed meanwhile within a few seconds.
 */
export const SETTLE_MS = 30_000;

/** The names of the pool's keys. */
export function keysOf(pool: string): string[] {
  return KEYS.map((name) => `${prefixOf(pool)}${name}`);
}

/** The channel on which each change is announced. */
export function channelOf(pool: string): string {
  return `${prefixOf(pool)}changes`;
}

/** The channel on which signals are sent. */
export function signalChannelOf(pool: string): string {
  return `${prefixOf(pool)}signals`;
}

/** The channel of a process of a replica (`is_heard` in member-scripts.ts). Nothing else is sent on it. */
export function processChannelOf(pool: string, processId: string): string {
  return `${prefixOf(pool)}process:${processId}`;
}

/** The prefix of the pool's keys and its channels. The braces put them into one slot. */
export function prefixOf(pool: string): string {
  return `{codexlb:${pool}}:`;
}

const PRELUDE = `
local ${KEYS.join(", ")} = unpack(KEYS)
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function is_pool(identity) return redis.call('HGET', meta, 'identity') == identity end
local OTHER_POOL = 'OTHERPOOL the pool was replaced, or its key was changed'
local function generation_of(tag) return tonumber(redis.call('HGET', generations, tag) or '0') end
local function turn_of(tag)
  local text = redis.call('HGET', turns, tag)
  if not text then return nil end
  local generation, fence, untilMs, replica = string.match(text, '^(%d+) (%d+) (%d+) (.+)$')
  return { generation = tonumber(generation), fence = fence, untilMs = tonumber(untilMs), replica = replica }
end
local function write(tag, generation, sealed, channel)
  redis.call('HSET', generations, tag, string.format('%d', generation))
  redis.call('HSET', records, tag, sealed)
  redis.call('PUBLISH', channel, redis.call('HINCRBY', counters, 'revision', 1))
end
local function set_no_turn(tag, turn)
  redis.call('HDEL', turns, tag)
  redis.call('HDEL', holders, turn.fence)
end
local function end_turn(tag, fence)
  local turn = turn_of(tag)
  if turn and turn.fence == fence then set_no_turn(tag, turn) end
end
${MEMBER_PRELUDE}`;

const BODIES = {
  /**
   * Returns what `meta` has: the schema, the id of the pool and its check. Creates it if it is missing and ARGV[1] is
   * an id: ARGV[2] is the check, ARGV[3] is 1 if the pool existed before, ARGV[5] is its identity. ARGV[4] is the
   * engine's start, or "".
   */
  open: `
local isNew = redis.call('EXISTS', meta) == 0
if isNew then
  if ARGV[1] == '' then return { false, false, false } end
  redis.call('HSET', meta, 'schema', '1', 'pool', ARGV[1], 'check', ARGV[2], 'identity', ARGV[5])
end
if ARGV[4] ~= '' and redis.call('HGET', meta, 'run') ~= ARGV[4] then
  local since = (isNew and ARGV[3] ~= '1') and 0 or now()
  redis.call('HSET', meta, 'run', ARGV[4], 'since', string.format('%d', since))
end
return redis.call('HMGET', meta, 'schema', 'pool', 'check')`,

  /** Returns the generation of every fact: tag, generation, tag, ... */
  generations: `return redis.call('HGETALL', generations)`,

  /** Returns the generation and the sealed text of each tag in ARGV. */
  records: `
local found = {}
for _, tag in ipairs(ARGV) do
  found[#found + 1] = redis.call('HGET', generations, tag) or '0'
  found[#found + 1] = redis.call('HGET', records, tag) or ''
end
return found`,

  /**
   * Writes the sealed text ARGV[4] of the tag ARGV[1] as generation ARGV[3], if its generation is still ARGV[2]. Ends
   * the turn with the fence ARGV[5]. ARGV[7]: the identity of the pool. Returns 1 and the new generation, or 0 and the
   * current one.
   */
  put: `
if not is_pool(ARGV[7]) then return redis.error_reply(OTHER_POOL) end
local tag, generation = ARGV[1], tonumber(ARGV[3])
end_turn(tag, ARGV[5])
local current = generation_of(tag)
if current ~= tonumber(ARGV[2]) or generation <= current then return { 0, current } end
write(tag, generation, ARGV[4], ARGV[6])
return { 1, generation }`,

  /**
   * An operator has imported the login of the tag ARGV[1] again, without a change, as generation ARGV[2]. If its token
   * counts as refused for good, writes the sealed text ARGV[3] as the next generation, whose token may be sent. Without
   * a refusal nothing is written, because another replica may be renewing the login. ARGV[4]: the channel. ARGV[5]: the
   * identity of the pool. Returns the generation afterwards, or false if it was another one.
   */
  revive: `
if not is_pool(ARGV[5]) then return redis.error_reply(OTHER_POOL) end
local tag, current = ARGV[1], generation_of(ARGV[1])
if current ~= tonumber(ARGV[2]) then return false end
local turn = turn_of(tag)
if not turn or turn.generation ~= current or not string.match(turn.replica, '^dead:') then return current end
write(tag, current + 1, ARGV[3], ARGV[4])
return current + 1`,

  /**
   * The process ARGV[7] of the replica ARGV[3] wants to send the refresh token of the tag ARGV[1], which it has as
   * generation ARGV[2]. Its turn lasts ARGV[4] ms at most. ARGV[6]: the identity of the pool. A process takes over its
   * own turn immediately, and that of an earlier process of its replica if that one is not connected any more. Returns
   * one of:
   *   duplicate                another process is the replica
   *   changed GENERATION       the fact has another generation
   *   settling MS              the engine has just started, so a replica may still have a newer login
   *   busy REPLICA             another process has its turn, or did not end it and ARGV[5] is not 1
   *   dead REASON              the token endpoint has refused the token for good
   *   yours FENCE REPLICA      the process may send it; REPLICA has not ended its turn with this token, or ""
   */
  begin: `
if not is_pool(ARGV[6]) then return redis.error_reply(OTHER_POOL) end
local tag, generation, replica, process = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[7]
if (process_of(replica) or process) ~= process then return { 'duplicate' } end
local function is_own(turn)
  if turn.replica ~= replica then return false end
  local holder, wasHeard = string.match(redis.call('HGET', holders, turn.fence) or '', '^(%S+) (%d)$')
  return holder == process or (wasHeard == '1' and not is_heard(holder))
end
local current, at = generation_of(tag), now()
if current ~= generation then return { 'changed', tostring(current) } end
local settled = tonumber(redis.call('HGET', meta, 'since') or '0') + ${SETTLE_MS}
if at < settled then return { 'settling', tostring(settled - at) } end
local turn, lost = turn_of(tag), ''
if turn and turn.generation == generation then
  local reason = string.match(turn.replica, '^dead:(.*)$')
  if reason then return { 'dead', reason } end
  if not is_own(turn) and (at < turn.untilMs or ARGV[5] ~= '1') then return { 'busy', turn.replica } end
  lost = turn.replica
end
if turn then redis.call('HDEL', holders, turn.fence) end
local fence = tostring(redis.call('HINCRBY', counters, 'fence', 1))
local untilMs = string.format('%d', at + tonumber(ARGV[4]))
redis.call('HSET', turns, tag, ARGV[2] .. ' ' .. fence .. ' ' .. untilMs .. ' ' .. replica)
redis.call('HSET', holders, fence, process .. (is_heard(process) and ' 1' or ' 0'))
return { 'yours', fence, lost }`,

  /**
   * Ends the turn with the fence ARGV[2] of the tag ARGV[1] without a new login. ARGV[3]: the reason if its token was
   * refused for good, or "". Then no replica sends it again. ARGV[4]: the identity of the pool.
   */
  finish: `
if not is_pool(ARGV[4]) then return redis.error_reply(OTHER_POOL) end
local turn = turn_of(ARGV[1])
if not turn or turn.fence ~= ARGV[2] then return 'OK' end
set_no_turn(ARGV[1], turn)
if ARGV[3] ~= '' then
  redis.call('HSET', turns, ARGV[1], string.format('%d 0 0 dead:', turn.generation) .. ARGV[3])
end
return 'OK'`,

  /**
   * Replaces the key of the pool with the identity ARGV[1]: ARGV[2] is its new check, ARGV[3] its new identity, ARGV[4]
   * the channel. The rest are the facts: old tag, new tag, generation, sealed text, ... Turns keep their logins.
   * Everything that replicas rebuild is removed. Leases are granted again after a pause, because their holders may
   * still be working. Returns "done"; "changed" if the facts in the engine are not exactly these; "renewing" while a
   * replica has a turn, whose login could not be written afterwards. In the last two cases nothing is changed.
   */
  rekey: `
if not is_pool(ARGV[1]) then return redis.error_reply(OTHER_POOL) end
if redis.call('HLEN', generations) ~= (#ARGV - 4) / 4 then return 'changed' end
local at, kept = now(), {}
for index = 5, #ARGV, 4 do
  if redis.call('HGET', generations, ARGV[index]) ~= ARGV[index + 2] then return 'changed' end
  local turn = turn_of(ARGV[index])
  if turn and at < turn.untilMs then return 'renewing' end
  kept[index] = redis.call('HGET', turns, ARGV[index])
end
redis.call('DEL', generations, records, turns, replicas, signals, signal_order, signal_ends, leases, usage, senders)
redis.call('HDEL', counters, 'epoch', 'signal', 'usage')
for index = 5, #ARGV, 4 do
  redis.call('HSET', generations, ARGV[index + 1], ARGV[index + 2])
  redis.call('HSET', records, ARGV[index + 1], ARGV[index + 3])
  if kept[index] then redis.call('HSET', turns, ARGV[index + 1], kept[index]) end
end
redis.call('HSET', meta, 'check', ARGV[2], 'identity', ARGV[3], 'rekeyed', string.format('%d', at))
redis.call('PUBLISH', ARGV[4], redis.call('HINCRBY', counters, 'revision', 1))
return 'done'`,

  ...MEMBER_SCRIPTS,
  ...SIGNAL_SCRIPTS,
  ...LEASE_SCRIPTS,
  ...USAGE_SCRIPTS,
} as const;

export type ScriptName = keyof typeof BODIES;

/** Every script by name. All get all keys of the pool, in the order of `keysOf`. */
export const SCRIPTS: readonly (readonly [ScriptName, string])[] = (Object.keys(BODIES) as ScriptName[]).map(
  (name) => [name, `${PRELUDE}${BODIES[name]}`],
);

export const KEY_COUNT = KEYS.length;
