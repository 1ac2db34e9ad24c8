#!lua flags=allow-oom
-- Forget images of one app that nobody waits for. Those still in the fair order leave it, and cost their app nothing;
-- an entry that is in the stream stays (the group's lag counts it), and whoever pulls it finds no payload. The payload is
-- put aside, as long as it would have been kept, for the reading alone that follows the death of a worker (fair.lua).
-- KEYS  the stream
-- ARGV  prefix of the payload keys, app, virtual time that one image takes, how many of the images are known to have been
--       queued, then the images' names, those first
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
    leave_lane(stream, app, gone)
    if redis.call('HEXISTS', stream .. ':tags', 'app:' .. app) == 1 then
        redis.call('HINCRBYFLOAT', stream .. ':tags', 'app:' .. app, -cost * gone)
    end
end
