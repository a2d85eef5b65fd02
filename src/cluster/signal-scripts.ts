// The Lua scripts of signals. A signal is a sealed record that the replicas can rebuild, so it has a lifetime, and
// losing it does no harm. Of each signal the engine keeps the newest by the time of its source.
//
// Keys: signals (hash, by tag: "REVISION AT_MS UNTIL_MS REPLICA SEALED"), signal_order (sorted by revision) and
// signal_ends (sorted by the end of the lifetime, engine time in ms). The counter `signal` counts the signals that were
// written, and `epoch` is the engine's time at the first one, so a server that was emptied has another epoch.

/** How many signals one call writes or returns at most. */
export const SIGNALS_AT_ONCE = 100;

const LIVING = `
local function living(tag, at)
  local text = redis.call('HGET', signals, tag)
  local untilMs = text and string.match(text, '^%d+ %d+ (%d+) ')
  if untilMs and tonumber(untilMs) > at then return tag .. ' ' .. text end
  return nil
end`;

export const SIGNAL_SCRIPTS = {
  /**
   * The replica ARGV[1] sends signals on the channel ARGV[2]: tag, source time, lifetime in ms, sealed text, ... Writes
   * and publishes those that are not older than what is known: a line "EPOCH REVISION COUNT", then a line
   * "TAG REVISION AT_MS UNTIL_MS REPLICA SEALED" for each. Forgets signals whose lifetime has ended.
   */
  send_signals: `
local at = now()
for _, tag in ipairs(redis.call('ZRANGEBYSCORE', signal_ends, '-inf', at, 'LIMIT', 0, ${2 * SIGNALS_AT_ONCE})) do
  redis.call('HDEL', signals, tag)
  redis.call('ZREM', signal_order, tag)
  redis.call('ZREM', signal_ends, tag)
end
local lines, revision = {}, 0
for index = 3, #ARGV, 4 do
  local tag, source, untilMs = ARGV[index], ARGV[index + 1], string.format('%d', at + tonumber(ARGV[index + 2]))
  local known = redis.call('HGET', signals, tag)
  local knownSource = known and string.match(known, '^%d+ (%d+) ')
  if not knownSource or tonumber(source) >= tonumber(knownSource) then
    revision = redis.call('HINCRBY', counters, 'signal', 1)
    local text = revision .. ' ' .. source .. ' ' .. untilMs .. ' ' .. ARGV[1] .. ' ' .. ARGV[index + 3]
    redis.call('HSET', signals, tag, text)
    redis.call('ZADD', signal_order, revision, tag)
    redis.call('ZADD', signal_ends, untilMs, tag)
    lines[#lines + 1] = tag .. ' ' .. text
  end
end
if #lines == 0 then return 0 end
local epoch = redis.call('HGET', counters, 'epoch')
if not epoch then
  epoch = string.format('%d', at)
  redis.call('HSET', counters, 'epoch', epoch)
end
redis.call('PUBLISH', ARGV[2], epoch .. ' ' .. revision .. ' ' .. #lines .. '\\n' .. table.concat(lines, '\\n'))
return #lines`,

  /**
   * Returns the epoch, the revision, the revision up to which this answer is complete, and the living signals that were
   * written after the revision ARGV[1], each as a line like those of `send_signals`.
   */
  signals_after: `${LIVING}
local at = now()
local epoch = redis.call('HGET', counters, 'epoch') or '0'
local revision = redis.call('HGET', counters, 'signal') or '0'
local tags = redis.call('ZRANGEBYSCORE', signal_order, '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, ${SIGNALS_AT_ONCE})
local found = { epoch, revision, revision }
if #tags == ${2 * SIGNALS_AT_ONCE} then found[3] = tags[#tags] end
for index = 1, #tags, 2 do found[#found + 1] = living(tags[index], at) end
return found`,

  /** Returns the living signal of the tag ARGV[1] as a line, or "". */
  signal_of: `${LIVING}
return living(ARGV[1], now()) or ''`,
} as const;
