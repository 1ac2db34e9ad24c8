#!lua flags=allow-oom
-- Withdraw images of one app whose client has disconnected. Images in the fair queue are removed, and their cost is
-- subtracted; an entry in the stream stays (the group's lag counts it), and its worker will find no payload. The payload
-- of such an entry is renamed, with its TTL, for the isolated read after the death of a worker (fair.lua).
-- KEYS  the stream
-- ARGV  prefix of the payload keys, app, virtual time of one image, how many of the images are known to have been
--       submitted, then the names of the images, those first
--include fair
local stream, prefix, app, cost, gone = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]), 0
local queued = 4 + tonumber(ARGV[4])
for at = 5, #ARGV do
    local image = prefix .. ARGV[at]
    if redis.call('ZREM', stream .. ':order', ARGV[at]) == 1 then
        redis.call('ZREM', stream .. ':since', ARGV[at])
        redis.call('HDEL', stream .. ':entries', ARGV[at])
        gone = gone + 1
    elseif at <= queued and redis.call('EXISTS', image) == 1 then
        redis.call('RENAME', image, image .. BEGUN)
    end
    redis.call('UNLINK', image)
end
if gone > 0 then
    subtract_waiting(stream, app, gone)
    if redis.call('HEXISTS', stream .. ':tags', 'app:' .. app) == 1 then
        redis.call('HINCRBYFLOAT', stream .. ':tags', 'app:' .. app, -cost * gone)
    end
end
