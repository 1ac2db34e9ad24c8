-- Included by scripts that touch the fair order in front of a stream (docs/adr/0045-fair-order.md):
--   <stream>:order    sorted set: "call:number" of a waiting image -> its start tag
--   <stream>:since    sorted set: the same -> server time in ms at which it was queued
--   <stream>:entries  hash: the same -> its stream entry, as a JSON list of names and values
--   <stream>:tags     hash: "now" -> virtual time, "app:…" -> end of the app's last image in it
--   <stream>:lanes    hash: app -> how many of its images wait
--   <stream>:idle     sorted set: worker that sleeps on the stream -> ms until which it does
local SKIPPED_MOST, REPLIES_KEPT, REPLY_OUTLIVES_MS = 64, 10000, 120000
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function leave_lane(stream, app, count)
    if redis.call('HINCRBY', stream .. ':lanes', app, -count) <= 0 then redis.call('HDEL', stream .. ':lanes', app) end
end

local function named(flat)
    local field = {}
    for at = 1, #flat, 2 do field[flat[at]] = flat[at + 1] end
    return field
end

local function legible(field) return field.call and field.n and tonumber(field.ttl) and field.to end

-- Where the payload of an image goes that was withdrawn after it had been delivered: if its worker dies, it is read alone
-- though nobody waits for it. Otherwise whoever hangs up in time would never be held off.
local BEGUN = ':begun'

-- Whether an image is still wanted: in time, not withdrawn (its payload is there), its app not held off. What an app
-- that is held off has in the queue is answered as failed, or each of it might kill a worker. `died`: its first worker did.
local function wanted(field, age, prefix, held, died)
    local image = prefix .. field.call .. ':' .. field.n
    local there = redis.call('EXISTS', image) == 1 or died and redis.call('EXISTS', image .. BEGUN) == 1
    if age < tonumber(field.ttl) and there then
        local until_ms = field.app and redis.call('ZSCORE', held, field.app)
        if not until_ms or tonumber(until_ms) <= now then return true end
        local reply = cjson.encode({ call_id = field.call, number = tonumber(field.n), outcome = 'failed' })
        redis.call('XADD', field.to, 'MAXLEN', '~', REPLIES_KEPT, '*', 'reply', reply)
        redis.call('PEXPIRE', field.to, REPLY_OUTLIVES_MS)
    end
    redis.call('DEL', image, image .. BEGUN)
    return false
end

-- Moves the image whose turn it is into the stream, and skips those that are not wanted any more.
-- ->  whether one was moved, how many were skipped
local function move(stream, prefix, held)
    local order, skipped = stream .. ':order', 0
    while skipped < SKIPPED_MOST do
        local first = redis.call('ZPOPMIN', order)
        if not first[1] then break end
        local name, start = first[1], first[2]
        local queued = tonumber(redis.call('ZSCORE', stream .. ':since', name) or now)
        local readable, entry = pcall(cjson.decode, redis.call('HGET', stream .. ':entries', name) or '[]')
        if not readable or type(entry) ~= 'table' then entry = {} end
        redis.call('ZREM', stream .. ':since', name)
        redis.call('HDEL', stream .. ':entries', name)
        local field, waited = named(entry), now - queued
        if field.app then leave_lane(stream, field.app, 1) end
        if tonumber(start) > tonumber(redis.call('HGET', stream .. ':tags', 'now') or 0) then
            redis.call('HSET', stream .. ':tags', 'now', start)
        end
        if legible(field) and wanted(field, waited, prefix, held) then
            -- The entry's id tells when it was moved; its time to live is what is left from there.
            for at = 1, #entry, 2 do
                if entry[at] == 'ttl' then entry[at + 1] = tonumber(field.ttl) - waited end
            end
            redis.call('XADD', stream, '*', 'waited', waited, unpack(entry))
            return true, skipped
        end
        skipped = skipped + 1
    end
    return false, skipped
end
