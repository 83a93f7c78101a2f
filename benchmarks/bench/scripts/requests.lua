-- Repeats a request with each token in turn. Arguments: method, body, a file of tokens, an ETag.
-- All requests are formatted in advance, so that wrk itself uses little processor time.
local requests, n = {}, 0

function init(args)
  local method, body, tokens, etag = args[1], args[2], args[3], args[4]
  for token in io.lines(tokens) do
    local headers = { ["Authorization"] = "Bearer " .. token }
    if body ~= "" then headers["Content-Type"] = "application/json" end
    if etag and etag ~= "" then headers["If-None-Match"] = etag end
    requests[#requests + 1] = wrk.format(method, nil, headers, body ~= "" and body or nil)
  end
end

function request()
  n = n % #requests + 1
  return requests[n]
end

function done(summary, latency)
  local failed = summary.errors
  io.write(string.format(
    'RESULT {"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "failed": %d}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    failed.status + failed.connect + failed.read + failed.write + failed.timeout))
end
