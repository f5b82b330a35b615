/**
 * Each write is one script, which compares the owner's token before it changes anything: whatever was sent before, once
 * another has the stream, does nothing.
 *
 * Keys are named by kind before the stream, so that no name of a stream can look like another kind's key.
 */

/** The server's clock, in milliseconds. */
const clock = `local time = redis.call('TIME'); local now = time[1] * 1000 + math.floor(time[2] / 1000);`

const isOwner = `if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 'fenced' end;`

/** KEYS owner. → token, renewed, name, client, run, silent for so many ms; or nothing */
export const look = `${clock}
local owner = redis.call('HMGET', KEYS[1], 'token', 'renewed', 'name', 'client', 'run')
if not owner[1] then return nil end
owner[6] = now - tonumber(owner[2])
return owner`

/** KEYS owner, epochs. ARGV version that was seen or '', token, name, client, run. → epoch, or nothing */
export const take = `${clock}
local owner = redis.call('HMGET', KEYS[1], 'token', 'renewed')
local seen = owner[1] and (owner[1] .. ' ' .. owner[2]) or ''
if seen ~= ARGV[1] then return nil end
local epoch = redis.call('INCR', KEYS[2])
redis.call('HSET', KEYS[1], 'epoch', epoch, 'token', ARGV[2], 'name', ARGV[3], 'client', ARGV[4], 'run', ARGV[5], 'renewed', string.format('%.0f', now))
return epoch`

/** KEYS owner. ARGV token, client, run. */
export const renew = `${clock} ${isOwner}
redis.call('HSET', KEYS[1], 'client', ARGV[2], 'run', ARGV[3], 'renewed', string.format('%.0f', now))
return 'done'`

/** KEYS owner. ARGV token. */
export const release = `${isOwner} redis.call('DEL', KEYS[1]) return 'done'`

/**
 * KEYS owner, checkpoints, streams. ARGV token, id, record, stream. → 'done', 'fenced', or the id that is not below.
 *
 * The same record again is done already: its sender lost the answer.
 */
export const commit = `${isOwner}
local ids = redis.call('HKEYS', KEYS[2])
table.sort(ids, function(a, b) return tonumber(a) > tonumber(b) end)
if ids[1] and tonumber(ids[1]) >= tonumber(ARGV[2]) then
  if ids[1] == ARGV[2] and redis.call('HGET', KEYS[2], ids[1]) == ARGV[3] then return 'done' end
  return ids[1]
end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
for index = 3, #ids do redis.call('HDEL', KEYS[2], ids[index]) end
redis.call('SADD', KEYS[3], ARGV[4])
return 'done'`

/** KEYS owner, checkpoints, streams, facts. ARGV token, stream. */
export const clear = `${isOwner}
redis.call('DEL', KEYS[2], KEYS[4])
redis.call('SREM', KEYS[3], ARGV[2])
return 'done'`

/** KEYS owner, checkpoints, streams, facts. ARGV token, stream, name, record if there is one. */
export const setFact = `${isOwner}
if ARGV[4] then
  redis.call('HSET', KEYS[4], ARGV[3], ARGV[4])
  redis.call('SADD', KEYS[3], ARGV[2])
else
  redis.call('HDEL', KEYS[4], ARGV[3])
  if redis.call('EXISTS', KEYS[2], KEYS[4]) == 0 then redis.call('SREM', KEYS[3], ARGV[2]) end
end
return 'done'`

/** KEYS last id, keys, queues, all ids. ARGV prefix; for each letter queue, identity, header, bytes. → ids */
export const addLetters = `
local ids = {}
for index = 2, #ARGV, 4 do
  local queue, identity = ARGV[index], ARGV[index + 1]
  local id = redis.call('HGET', KEYS[2], identity)
  if not id then
    id = string.format('%.0f', redis.call('INCR', KEYS[1]))
    redis.call('HSET', ARGV[1] .. 'letter:' .. id, 'queue', queue, 'identity', identity, 'header', ARGV[index + 2], 'bytes', ARGV[index + 3])
    redis.call('HSET', KEYS[2], identity, id)
    redis.call('HINCRBY', KEYS[3], queue, 1)
    redis.call('ZADD', KEYS[4], id, id)
    redis.call('ZADD', ARGV[1] .. 'queue:' .. queue, id, id)
  end
  ids[#ids + 1] = tonumber(id)
end
return ids`

/** KEYS ids of one queue or of all. ARGV prefix, after, limit. → id, header, bytes of each */
export const listLetters = `
local found = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[2], '+inf', 'LIMIT', 0, ARGV[3])) do
  local letter = redis.call('HMGET', ARGV[1] .. 'letter:' .. id, 'header', 'bytes')
  found[#found + 1] = { id, letter[1], letter[2] }
end
return found`

/** KEYS keys, queues, all ids. ARGV prefix, ids. → how many there were */
export const removeLetters = `
local removed = 0
for index = 2, #ARGV do
  local id = ARGV[index]
  local letter = redis.call('HMGET', ARGV[1] .. 'letter:' .. id, 'queue', 'identity')
  if letter[1] then
    redis.call('DEL', ARGV[1] .. 'letter:' .. id)
    redis.call('HDEL', KEYS[1], letter[2])
    redis.call('ZREM', KEYS[3], id)
    redis.call('ZREM', ARGV[1] .. 'queue:' .. letter[1], id)
    if redis.call('HINCRBY', KEYS[2], letter[1], -1) == 0 then redis.call('HDEL', KEYS[2], letter[1]) end
    removed = removed + 1
  end
end
return removed`
