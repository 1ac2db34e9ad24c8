-- Keep ARGV[1] under KEYS[1] for ARGV[2] seconds, unless something is kept there: then answer that, and change nothing.
local standing = redis.call('GET', KEYS[1])
if standing then
  return standing
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return false
