// The Lua script by which replicas exchange records of turns and switches (usage-exchange.ts).
//
// Keys: usage (stream of batches: source, last record, number of records, how many records were sent up to here, sealed
// text) and senders (hash, by replica: "SOURCE SEQUENCE" of the last record that it sent). The counter `usage` counts
// the records that were sent.

/** A replica that reads many records pauses after about this number, so that its requests are not held up. */
const MOST_READ = 200;
/** How many records the stream keeps for replicas that are away. Newer ones replace the oldest. */
const MOST_RECORDS = 50_000;

export const USAGE_SCRIPTS = {
  /**
   * The replica ARGV[2] of the pool with the identity ARGV[1] sends a batch, and reads what the others have sent.
   * ARGV[3]: the source of its records. The batch ARGV[7], "" for none, has ARGV[6] records, follows the record
   * ARGV[4], and ends with the record ARGV[5]. It is added if ARGV[4] is the last record of the source here, or if
   * ARGV[8] is 1. At most ARGV[10] batches are read, after the position ARGV[9].
   *
   * Returns nothing if the engine has another pool, otherwise: 1 if the batch was added or there was none; the last
   * record of the source before; how many records were sent so far; the position after the last batch that was read; 1
   * if there may be more; and the batches of other sources: source, last record, number of records, sealed text, ...
   */
  exchange: `
if not is_pool(ARGV[1]) then return false end
local function trim(total)
  local oldest = redis.call('XRANGE', usage, '-', '+', 'COUNT', 1)[1]
  if total - tonumber(oldest[2][8]) <= ${MOST_RECORDS} then return end
  redis.call('XTRIM', usage, 'MAXLEN', '~', math.floor(redis.call('XLEN', usage) * 0.9))
end
local function is_after(position, id)
  local ms, serial = string.match(position, '^(%d+)-(%d+)$')
  local other, other_serial = string.match(id, '^(%d+)-(%d+)$')
  ms, other = tonumber(ms), tonumber(other)
  return ms > other or (ms == other and tonumber(serial) > tonumber(other_serial))
end
local source, sequence = string.match(redis.call('HGET', senders, ARGV[2]) or '', '^(%S+) (%d+)$')
local known, added = source == ARGV[3] and tonumber(sequence) or 0, 1
if ARGV[7] ~= '' then
  if known == tonumber(ARGV[4]) or ARGV[8] == '1' then
    local total = redis.call('HINCRBY', counters, 'usage', ARGV[6])
    redis.call('XADD', usage, '*', 'source', ARGV[3], 'last', ARGV[5], 'count', ARGV[6], 'total', total, 'sealed', ARGV[7])
    redis.call('HSET', senders, ARGV[2], ARGV[3] .. ' ' .. ARGV[5])
    trim(total)
  else
    added = 0
  end
end
local position, found, records, more = ARGV[9], {}, 0, 0
local newest = redis.call('XREVRANGE', usage, '+', '-', 'COUNT', 1)[1]
-- The stream of an engine that was emptied may begin before the position.
if not newest or is_after(position, newest[1]) then position = '0-0' end
if newest and newest[1] ~= position then
  local batches = redis.call('XRANGE', usage, '(' .. position, '+', 'COUNT', ARGV[10])
  if #batches == tonumber(ARGV[10]) then more = 1 end
  for index, batch in ipairs(batches) do
    local fields = batch[2]
    position = batch[1]
    if fields[2] ~= ARGV[3] then
      for _, field in ipairs({ 2, 4, 6, 10 }) do found[#found + 1] = fields[field] end
      records = records + fields[6]
    end
    if records >= ${MOST_READ} and index < #batches then
      more = 1
      break
    end
  end
end
return { added, known, tonumber(redis.call('HGET', counters, 'usage') or '0'), position, more, found }`,
} as const;
