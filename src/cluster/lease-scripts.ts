// The Lua scripts of leases, which let one process at a time, among all replicas, do a background job. A lease ends by
// itself, by the engine's clock.
//
// Key: leases (hash, by the tag of the job: "UNTIL_MS PROCESS"; earlier versions write the id of the replica).

/**
 * How long a lease lasts if it is not taken again, ms. A job that a killed replica was doing goes to another one after
 * this time.
 */
export const LEASE_MS = 60_000;

const LEASE = `
local function lease_of(tag)
  local untilMs, process = string.match(redis.call('HGET', leases, tag) or '', '^(%d+) (.+)$')
  return tonumber(untilMs or '0'), process
end`;

export const LEASE_SCRIPTS = {
  /**
   * The process ARGV[1] wants the leases of the other ARGV. Returns 1 for each that it has from now on, otherwise 0. An
   * engine that may have lost leases, because it was started or emptied or the key was changed a moment ago, gives
   * none. Forgets ended leases.
   */
  lease: `${LEASE}
local at, found = now(), {}
local since = redis.call('HGET', meta, 'since')
local lostMs = math.max(tonumber(since or '0'), tonumber(redis.call('HGET', meta, 'rekeyed') or '0'))
local isSure = since and at >= lostMs + ${LEASE_MS}
local known = redis.call('HGETALL', leases)
for index = 1, #known, 2 do
  if lease_of(known[index]) <= at then redis.call('HDEL', leases, known[index]) end
end
for index = 2, #ARGV do
  local _, process = lease_of(ARGV[index])
  local isFree = isSure and (not process or process == ARGV[1])
  if isFree then
    redis.call('HSET', leases, ARGV[index], string.format('%d', at + ${LEASE_MS}) .. ' ' .. ARGV[1])
  end
  found[#found + 1] = isFree and 1 or 0
end
return found`,

  /** The process ARGV[1] gives back its leases of the other ARGV. */
  release: `${LEASE}
for index = 2, #ARGV do
  local _, process = lease_of(ARGV[index])
  if process == ARGV[1] then redis.call('HDEL', leases, ARGV[index]) end
end
return 'OK'`,
} as const;
