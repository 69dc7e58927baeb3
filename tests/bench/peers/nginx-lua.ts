/** nginx with the whole check in Lua (what OpenResty is used for): SHA-256 of the token, a table, one EVALSHA to Redis. */
import { hash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../machine.ts';
import { pool, server, startNginx, toApp } from './nginx.ts';
import { plain, quota, type Target, together, windowSeconds } from './stage.ts';

export const luaModule = '/usr/lib/nginx/modules/ngx_http_lua_module.so';

/** The same counter as auth-service.ts has. */
const count = `
local used = redis.call('INCR', KEYS[1])
if used == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1] * 2) end
local before = tonumber(redis.call('GET', KEYS[2]) or '0')
return used + before * tonumber(ARGV[2]) > tonumber(ARGV[3]) and 0 or 1`;

const gate = (callerFile: string, redis: URL): string => `
local ffi = require 'ffi'
local redis = require 'nginx.redis'
ffi.cdef[[unsigned char *SHA256(const unsigned char *d, size_t n, unsigned char *md);]]
local out = ffi.new('unsigned char[32]')
local script = [[${count}]]
local sha = '${hash('sha1', count)}'
local subjects = {}
local function digest(text)
  ffi.C.SHA256(text, #text, out)
  return ffi.string(out, 32)
end
for line in io.lines('${callerFile}') do
  local token, subject = line:match('^(%S+) (%S+)$')
  subjects[digest(token)] = subject
end
local window = ${windowSeconds * 1000}
local _M = {}
function _M.check()
  local given = ngx.var.http_authorization
  local token = given and given:match('^[Bb]earer (%S+)$')
  local subject = token and subjects[digest(token)]
  if not subject then return ngx.exit(401) end
  local now = ngx.now() * 1000
  local slot = math.floor(now / window)
  local share = 1 - (now % window) / window
  local link = redis:new()
  link:set_timeout(1000)
  if not link:connect('${redis.hostname}', ${redis.port || 6379}) then return ngx.exit(503) end
  local key = 'bench:lua:' .. subject .. ':'
  local yes, why = link:evalsha(sha, 2, key .. slot, key .. (slot - 1), window, share, ${quota})
  if not yes and why and why:find('NOSCRIPT', 1, true) then
    yes = link:eval(script, 2, key .. slot, key .. (slot - 1), window, share, ${quota})
  end
  link:set_keepalive(60000, 256)
  if yes == nil or yes == false then return ngx.exit(503) end
  if yes == 0 then return ngx.exit(429) end
  ngx.req.clear_header('Authorization')
  ngx.req.set_header('X-Subject', subject)
end
return _M
`;

export const nginxLuaRedis: Target = {
  ...plain,
  name: 'nginx + Lua, Redis',
  limit: 'redis',
  needs: ['nginx', luaModule, 'redis-server'],
  runs: 'native',
  async start(stage) {
    const port = await freePort();
    writeFileSync(join(stage.folder, 'luagate.lua'), gate(stage.callerFile, new URL(stage.redisUrl ?? '')));
    const modules = `load_module ${luaModule.replace('ngx_http_lua', 'ndk_http')}; load_module ${luaModule};`;
    const paths = `lua_package_path "${stage.folder}/?.lua;/usr/share/lua/5.1/?.lua;;";`;
    const rest = `location / { access_by_lua_block { require('luagate').check() } ${toApp} }`;
    const config = server(port, rest, `${paths} ${pool('app', stage.upstreamPort)}`, modules);
    return together(port, [await startNginx(stage, port, 0, config)]);
  },
};
