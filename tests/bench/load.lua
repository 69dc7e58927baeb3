-- One bearer token a request, in turn; a path behind it goes before PATH. wrk ... URL -- TOKENS METHOD PATH BODY
local requests, turn = {}, 0

function init(args)
  local headers = { Host = wrk.headers["Host"] }
  local body = nil
  if args[4] ~= nil and args[4] ~= "" then
    headers["Content-Type"] = "application/json"
    body = args[4]
  end
  for line in io.lines(args[1]) do
    local token, path = line:match("^(%S+) ?(%S*)$")
    headers["Authorization"] = "Bearer " .. token
    requests[#requests + 1] = wrk.format(args[2], path ~= "" and path or args[3], headers, body)
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format('\n{"requests":%d,"micros":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration, e.status, e.connect + e.read + e.write + e.timeout))
end
