// The Lua scripts by which the replicas of a pool report themselves, and by which two processes that are the same
// replica notice each other, because the root of one is a copy.
//
// Keys:
//   replicas   hash    a sealed description of each replica, by its id
//   seen       sorted  when each replica was last connected, engine time in ms
//   processes  hash    which process each replica is, by its id: "PROCESS SEEN_MS"; nothing for one that has stopped
//   holders    hash    which process has a turn, by its fence (`begin` in scripts.ts): "PROCESS 1", or "PROCESS 0" for
//                      one that was not subscribed to its channel

/** A replica that was not connected for this long is forgotten, ms. */
const FORGET_MS = 7 * 24 * 3_600_000;
/**
 * How long a replica is the process that was seen last, ms. Three times the pause between two polls, so a process
 * that is late is not replaced.
 */
const PLACE_MS = 15_000;

/**
 * What these scripts and those of turns use. Each process subscribes to a channel of its own (`processChannelOf`), only
 * so that `is_heard` knows whether it is connected: the system closes the connection of a process that was killed.
 */
export const MEMBER_PRELUDE = `
local function is_heard(process)
  return redis.call('PUBLISH', string.sub(meta, 1, -5) .. 'process:' .. process, '') > 0
end
local function process_of(replica)
  local process, seenMs = string.match(redis.call('HGET', processes, replica) or '', '^(%S+) (%d+)$')
  return process, tonumber(seenMs or '0')
end
local function members(at)
  local found = {}
  local ids = redis.call('ZRANGE', seen, 0, -1, 'WITHSCORES')
  for index = 1, #ids, 2 do
    found[#found + 1] = ids[index]
    found[#found + 1] = redis.call('HGET', replicas, ids[index]) or ''
    found[#found + 1] = string.format('%d', at - ids[index + 1])
  end
  return found
end
local function forget(replica)
  redis.call('ZREM', seen, replica)
  redis.call('HDEL', replicas, replica)
  redis.call('HDEL', senders, replica)
  redis.call('HDEL', processes, replica)
end
`;

export const MEMBER_SCRIPTS = {
  /**
   * The replica ARGV[1] of the pool with the identity ARGV[3], described by ARGV[2], is connected. Its process is
   * ARGV[4]; ARGV[5] is 1 for the first poll of a process, which takes the place of any other. Returns the id of the
   * pool, or "" if the engine has another one, the revision of its facts, the epoch and the revision of its signals,
   * the engine's time, how many records of turns were sent, 1 if another process is the replica, otherwise 0, and the
   * replicas (`members`).
   */
  poll: `
local at, isPool, isOther = now(), is_pool(ARGV[3]), false
if isPool then
  local process, seenMs = process_of(ARGV[1])
  isOther = process and process ~= ARGV[4] and ARGV[5] ~= '1' and at < seenMs + ${PLACE_MS}
  if not isOther then
    redis.call('ZADD', seen, at, ARGV[1])
    redis.call('HSET', replicas, ARGV[1], ARGV[2])
    redis.call('HSET', processes, ARGV[1], ARGV[4] .. ' ' .. string.format('%d', at))
  end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', seen, '-inf', at - ${FORGET_MS})) do
    forget(id)
  end
end
local found = redis.call('HMGET', counters, 'revision', 'epoch', 'signal', 'usage')
return {
  isPool and redis.call('HGET', meta, 'pool') or '',
  found[1] or '0', found[2] or '0', found[3] or '0', string.format('%d', at), found[4] or '0',
  isOther and 1 or 0, members(at)
}`,

  /**
   * The process ARGV[4] of the replica ARGV[1] of the pool with the identity ARGV[3] has stopped. ARGV[2] describes the
   * replica from now on. Announces that on the channel ARGV[5]. Does nothing if another process is the replica.
   */
  stop: `
if not is_pool(ARGV[3]) or process_of(ARGV[1]) ~= ARGV[4] then return 'OK' end
redis.call('ZADD', seen, now(), ARGV[1])
redis.call('HSET', replicas, ARGV[1], ARGV[2])
redis.call('HDEL', processes, ARGV[1])
redis.call('PUBLISH', ARGV[5], redis.call('HGET', counters, 'revision') or '0')
return 'OK'`,

  /**
   * The replica ARGV[1] leaves the pool. Returns one of:
   *   copy   only a copy of its root leaves: a process of the replica is connected
   *   last   there is no other replica, and ARGV[2] is not 1, so nothing was changed
   *   left   the replica has left
   */
  leave: `
local process = process_of(ARGV[1])
if process and is_heard(process) then return 'copy' end
local ids = redis.call('ZRANGE', seen, 0, 1)
if ARGV[2] ~= '1' and #ids < 2 and (ids[1] or ARGV[1]) == ARGV[1] then return 'last' end
forget(ARGV[1])
return 'left'`,

  /** Returns each replica: id, description, and how long ago it was connected, ms. */
  members: `return members(now())`,
} as const;
