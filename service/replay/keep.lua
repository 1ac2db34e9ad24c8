-- Store ARGV[1] under KEYS[1] for ARGV[2] seconds, unless it exists: then return the existing value unchanged.
local existing = redis.call('GET', KEYS[1])
if existing then
  return existing
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return false
