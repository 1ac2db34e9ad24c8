-- The fair queue in front of a stream (docs/adr/0045-fair-order.md), included by the scripts that use it:
--   <stream>:order    sorted set: "call:number" of a waiting image -> its start tag
--   <stream>:since    sorted set: the same -> server time in ms of its submission
--   <stream>:entries  hash: the same -> its stream entry, as a JSON list of names and values
--   <stream>:tags     hash: "now" -> virtual time, "app:…" -> finish tag of the app's last image
--   <stream>:lanes    hash: app -> number of its waiting images
--   <stream>:idle     sorted set: worker in a blocking read -> server time in ms until which it is idle
local SKIPPED_MOST, REPLIES_KEPT, REPLY_OUTLIVES_MS = 64, 10000, 120000
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function subtract_waiting(stream, app, count)
    if redis.call('HINCRBY', stream .. ':lanes', app, -count) <= 0 then redis.call('HDEL', stream .. ':lanes', app) end
end

local function named(flat)
    local field = {}
    for at = 1, #flat, 2 do field[flat[at]] = flat[at + 1] end
    return field
end

local function legible(field) return field.call and field.n and tonumber(field.ttl) and field.to end

-- Key suffix of the payload of an image that was withdrawn after its delivery: if its worker dies, it is still read in
-- isolation. Otherwise disconnecting in time would prevent a hold-off.
local BEGUN = ':begun'

-- Whether an image is still to be read: before its deadline, not withdrawn (its payload exists), its app not held off.
-- Queued images of a held-off app are answered as failed, since each could kill a worker. `died`: its first worker died.
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

-- Moves the next image of the fair queue into the stream, and skips those that are no longer to be read.
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
        if field.app then subtract_waiting(stream, field.app, 1) end
        if tonumber(start) > tonumber(redis.call('HGET', stream .. ':tags', 'now') or 0) then
            redis.call('HSET', stream .. ':tags', 'now', start)
        end
        if legible(field) and wanted(field, waited, prefix, held) then
            -- The entry's id is the time of the move; its time to live counts from there.
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
