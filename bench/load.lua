-- What wrk sends and what it says at the end.
--
--   wrk <options> -s load.lua URL -- METHOD BODY_BYTES
--
-- Nothing here runs per request: wrk builds the request once, so the script costs no throughput.
-- `done` writes one line of JSON, because wrk's own report rounds and mixes its units.

function init(args)
   wrk.method = args[1] or "GET"
   local size = tonumber(args[2] or "0")
   if size > 0 then
      wrk.body = string.rep("x", size)
      wrk.headers["Content-Type"] = "application/octet-stream"
   end
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      'RESULT {"requests":%d,"microseconds":%d,"p50":%.1f,"p99":%.1f,"refused":%d,"broken":%d,'
         .. '"status":%d,"timeout":%d}\n',
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
      errors.connect, errors.read + errors.write, errors.status, errors.timeout))
end
