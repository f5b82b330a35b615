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

/**
 * ARGV: group, consumer, how many. New messages, without waiting for them, in two texts: many replies of a few bytes each cost the client
 * more than all the rest. The first has six words for each: its id, how long its key and its body are, how long its type is (-1: as that of
 * the one before), how long its headers (-1: there are none), its time. The second has these behind one another. Where one of them is not as
 * we write them, they come as they are.
 */
export const readScript = `
local found = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', ARGV[3], 'STREAMS', KEYS[1], '>')
local entries = found and found[1] and found[1][2] or {}
local words, parts, last = {}, {}, nil
for _, entry in ipairs(entries) do
  local f = entry[2]
  if not f or #f ~= 10 or f[1] ~= 'key' or f[3] ~= 'body' or f[5] ~= 'type' or f[7] ~= 'headers' or f[9] ~= 'time' or not string.find(f[10], '^%d+$') then
    return { entries }
  end
  local n = #words
  words[n + 1], words[n + 2], words[n + 3], words[n + 4], words[n + 5], words[n + 6] = entry[1], #f[2], #f[4], -1, -1, f[10]
  parts[#parts + 1] = f[2]
  parts[#parts + 1] = f[4]
  if f[6] ~= last then
    last = f[6]
    words[n + 4] = #last
    parts[#parts + 1] = last
  end
  if f[8] ~= '{}' then
    words[n + 5] = #f[8]
    parts[#parts + 1] = f[8]
  end
end
return { table.concat(words, ' '), table.concat(parts) }`

/**
 * ARGV: group, then ids with spaces between them. Whoever has one of them meanwhile does work that is done. Answers with those that are
 * not gone by this.
 */
export const acknowledgeScript = `
local others = {}
for id in string.gmatch(ARGV[2], '%S+') do
  if redis.call('XACK', KEYS[1], ARGV[1], id) == 1 then
    redis.call('XDEL', KEYS[1], id)
  else
    others[#others + 1] = id
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
