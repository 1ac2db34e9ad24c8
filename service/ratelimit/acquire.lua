-- Take a token from the bucket KEYS[1]: ARGV[1] tokens per second, at most ARGV[2] at once.
-- Returns the milliseconds to wait, or -1 when the request is allowed. Uses the server's time, so all gateways agree.
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + tonumber(clock[2]) / 1000

local held = redis.call('HMGET', KEYS[1], 'tokens', 'moment')
local tokens, moment = tonumber(held[1]) or burst, tonumber(held[2]) or now
tokens = math.min(burst, tokens + math.max(0, now - moment) * rate / 1000)

local wait = -1
if tokens >= 1 then
  tokens = tokens - 1
else
  wait = math.ceil((1 - tokens) * 1000 / rate)
end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'moment', tostring(now))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst * 1000 / rate) + 1000) -- an unused bucket is full by then
return wait
