-- A sliding limit inside Redis: the arithmetic of sliding-window.ts, atomic over all keys of a call.
--
-- KEYS      one per bucket
-- ARGV[1]   JSON, flat. Per request: how many charges; then per charge:
--           index of its key, quota, window in us, steps, cost
-- returns   flat integers: the clock in us; then per charge: remaining,
--           ms until more is free, ms until it fits (0: it fitted, -1: it never can)
--
-- The charges of a request count all or none; requests are judged in order.
-- A bucket is a string, oldest run first:  start used | last count | last count | ...
-- each pair a double (us) and a uint32, little endian. Nothing is written before everything is judged.

local PAIR, SIZE = '<dI4', 12
-- Redis expires by a millisecond clock read before ours: a key must never go before the arithmetic lets it.
local TTL_SLACK_MS = 1000

-- Looked up once: a global costs a search on every use.
local call, pack, unpack = redis.call, struct.pack, struct.unpack
local ceil, max, sub = math.ceil, math.max, string.sub

local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

-- Closed runs stay packed in `raw`, from offset `first` up to (not including) `open`; the newest run is
-- unpacked in `last` and `count`. No run at all: count = 0.
local function forget(bucket)
  bucket.raw, bucket.first, bucket.open = '', 1, 1
  bucket.start, bucket.used, bucket.last, bucket.count, bucket.changed = 0, 0, 0, 0, true
end

-- A step back of more than a window: what lies in the future counts as spent now.
local function restamp(bucket)
  while bucket.open > bucket.first do
    local last, count = unpack(PAIR, bucket.raw, bucket.open - SIZE)
    if last <= now then break end
    bucket.count = bucket.count + count
    bucket.open = bucket.open - SIZE
  end
  bucket.start, bucket.last, bucket.changed = now, now, true
end

local function settle(bucket, window)
  if bucket.count == 0 then return end
  if bucket.last - now > window then restamp(bucket) end
  if now - bucket.last >= window then return forget(bucket) end
  while bucket.first < bucket.open do
    local last, count = unpack(PAIR, bucket.raw, bucket.first)
    if now - last < window then break end
    bucket.used = bucket.used - count
    bucket.first, bucket.changed = bucket.first + SIZE, true
  end
end

-- A table made whole is several times cheaper than one that grows field by field.
local function load(key)
  local raw = call('GET', key)
  if not raw or #raw < 2 * SIZE or #raw % SIZE ~= 0 then
    return {
      raw = '', first = 1, open = 1, start = 0, used = 0, last = 0, count = 0,
      held = 0, window = 0, changed = false,
    }
  end
  local start, used = unpack(PAIR, raw)
  local last, count = unpack(PAIR, raw, #raw - SIZE + 1)
  return {
    raw = raw, first = SIZE + 1, open = #raw - SIZE + 1, start = start, used = used, last = last, count = count,
    held = 0, window = 0, changed = false,
  }
end

local function save(key, bucket)
  if bucket.count == 0 then return call('DEL', key) end
  local ttl = ceil((max(bucket.last - now, 0) + bucket.window) / 1000) + TTL_SLACK_MS
  local value = pack(PAIR, bucket.start, bucket.used)
    .. sub(bucket.raw, bucket.first, bucket.open - 1)
    .. pack(PAIR, bucket.last, bucket.count)
  call('SET', key, value, 'PX', ttl)
end

local function wait(bucket, quota, window, cost)
  if cost > quota then return -1 end
  local excess = bucket.used + cost - quota
  if excess <= 0 then return 0 end
  for at = bucket.first, bucket.open - SIZE, SIZE do
    local last, count = unpack(PAIR, bucket.raw, at)
    excess = excess - count
    if excess <= 0 then return window - (now - last) end
  end
  return window - (now - bucket.last)
end

local function spend(bucket, window, steps, cost)
  local at = max(now, bucket.last)
  if bucket.count > 0 and at - bucket.start < window / steps then
    bucket.count = bucket.count + cost
  else
    if bucket.count > 0 then
      bucket.raw = sub(bucket.raw, bucket.first, bucket.open - 1)
        .. pack(PAIR, bucket.last, bucket.count)
      bucket.first, bucket.open = 1, #bucket.raw + 1
    end
    bucket.start, bucket.count = at, cost
  end
  bucket.last, bucket.used, bucket.changed = at, bucket.used + cost, true
end

local function until_oldest_leaves(bucket, window)
  if bucket.count == 0 then return 0 end
  local last = bucket.last
  if bucket.first < bucket.open then last = unpack(PAIR, bucket.raw, bucket.first) end
  return window - (now - last)
end

local input = cjson.decode(ARGV[1])
local buckets, output = {}, { now }
local at, size, out = 1, #input, 1

while at <= size do
  local first = at + 1
  local after = first + input[at] * 5
  local admitted, answer = true, out
  for c = first, after - 1, 5 do
    local index, window, cost = input[c], input[c + 2], input[c + 4]
    local bucket = buckets[index]
    if not bucket then
      bucket = load(KEYS[index])
      buckets[index] = bucket
    end
    settle(bucket, window)
    bucket.window = window
    local us = wait(bucket, input[c + 1], window, cost + bucket.held)
    bucket.held = bucket.held + cost
    if us ~= 0 then admitted = false end
    output[out + 1], output[out + 2], output[out + 3] = 0, 0, us < 0 and -1 or ceil(us / 1000)
    out = out + 3
  end
  for c = first, after - 1, 5 do
    local bucket = buckets[input[c]]
    bucket.held = 0
    if admitted then spend(bucket, input[c + 2], input[c + 3], input[c + 4]) end
  end
  for c = first, after - 1, 5 do
    local bucket = buckets[input[c]]
    output[answer + 1] = max(0, input[c + 1] - bucket.used)
    output[answer + 2] = ceil(until_oldest_leaves(bucket, input[c + 2]) / 1000)
    answer = answer + 3
  end
  at = after
end

for index, bucket in pairs(buckets) do
  if bucket.changed then save(KEYS[index], bucket) end
end

return output
