/** ARGV: for how long (ms) a key is known, then for each message its key, body, type, headers and time. Adds before it notes the key. */
export const publishScript = `
local added = 0
for i = 2, #ARGV, 5 do
  local known = KEYS[1] .. ':key:' .. ARGV[i]
  if redis.call('EXISTS', known) == 0 then
    redis.call('XADD', KEYS[1], '*', 'key', ARGV[i], 'body', ARGV[i + 1], 'type', ARGV[i + 2], 'headers', ARGV[i + 3], 'time', ARGV[i + 4])
    redis.call('SET', known, '1', 'PX', ARGV[1])
    added = added + 1
  end
end
return added`

/** ARGV: group, consumer, how long (ms) without a sign makes a message free, where to go on, how many. Says how often each was given. */
export const claimScript = `
local found = redis.call('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], 'COUNT', ARGV[5])
local claimed = {}
for _, entry in ipairs(found[2]) do
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], entry[1], entry[1], 1)
  claimed[#claimed + 1] = { entry[1], entry[2], pending[1] and pending[1][4] or 1 }
end
return { found[1], claimed }`

/** ARGV: group, then ids. Whoever has one of them meanwhile does work that is done. Answers with those that are not gone by this. */
export const acknowledgeScript = `
local others = {}
for i = 2, #ARGV do
  if redis.call('XACK', KEYS[1], ARGV[1], ARGV[i]) == 1 then
    redis.call('XDEL', KEYS[1], ARGV[i])
  else
    others[#others + 1] = ARGV[i]
  end
end
return others`

/** ARGV: group, consumer, whom to give them to, the idle time (ms) that they get, then for each its id and how often it counts as given. */
export const moveScript = `
for i = 5, #ARGV, 2 do
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1)
  if pending[1] and pending[1][2] == ARGV[2] then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[3], 0, ARGV[i], 'IDLE', ARGV[4], 'RETRYCOUNT', ARGV[i + 1], 'JUSTID')
  end
end
return 1`

/** ARGV: group, consumer. A consumer that still has messages is kept: they would go with it. */
export const leaveScript = `
if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) == 0 then
  redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
end
return 1`
