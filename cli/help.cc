#include "help.h"

#include "exit_code.h"
#include "named_settings.h"

namespace trunkline::cli {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

}  // namespace

std::string main_help() {
  return R"(Examples
  trunkline run -c trunkline.yaml                       scrape, scale and show what the file says
  trunkline fetch https://example.org/                  the body, on stdout
  trunkline fetch -v https://example.org/               on which connection, and why not on another
  trunkline fetch --json --repeat 3 http://host/        three requests, one connection, counters at the end
  trunkline fetch --json --batch requests.jsonl         many requests over one pool, one JSON line each
  trunkline url 'http://User@EXAMPLE.org:80/a/../b'     how the library reads a URL
  trunkline load http://127.0.0.1:8080/ -c 64 -d 10s    requests/s, CPU per request, dials by reason
  trunkline scrape host1:9090 host2:9090 --cycles 2     does each scrape reuse its connection?
  trunkline metrics check http://host/metrics           could Prometheus read this?
  trunkline autoscale simulate --policy p.yaml --generate spike      what would this policy have done?
  trunkline backend --listen 127.0.0.1:8080             a server to try all of this on
  trunkline demo --seconds 60                           all of it at once, with traffic that is made up
  trunkline doctor                                      who on this machine dials for every call?

trunkline SUBCOMMAND --help tells the rest.)";
}

std::string fetch_help() {
  return R"(Names of flags are curl's where curl has them. Times: 500ms, 2 (seconds), 1.5s, 5m. Sizes: 512, 64k, 1MiB.
Proxies of the environment are ignored unless --proxy-from-env is given.

Examples
  trunkline fetch https://example.org/ -o page.html
  trunkline fetch -d name=value -H 'X-Trace: 1' http://host/form
  trunkline fetch --data-binary @body.json -H 'Content-Type: application/json' -X PUT http://host/thing
  trunkline fetch --cacert ca.pem --cert me.pem --key me.key https://internal/
  trunkline fetch --json --parallel 8 --repeat 100 http://host/        100 requests, 8 at a time
  trunkline fetch --json --repeat 40 --delay 1.5s http://host/         does the connection survive the pause?
  trunkline fetch --json --repeat 20 --recreate-client http://host/    a new client per request: still one connection
  trunkline fetch --json --repeat 20 --recreate-client --isolated http://host/       the bug: twenty connections
  trunkline fetch ws://host/chat --ws-message hello --ws-message bye   two messages, the reply to each, and close
  trunkline fetch -f --retry 3 http://host/                            four attempts at most, pauses between them
  trunkline fetch --sse --json https://host/events                     a JSON line per event, as it comes
  echo '{"url":"http://host/","timeout":"2s"}' | trunkline fetch --json --batch -

)" + std::string("Names for --timeout: ") +
         joined(timeout_names()) + "\nNames for --limit: " + joined(limit_names()) + "\n\n" + exit_code_help();
}

std::string url_help() {
  return R"(Examples
  trunkline url 'https://example.org:443/a/./b?q=1#top'
  trunkline url ../c --base http://example.org/a/b
  trunkline url --json 'http://0x7f.1/'

Exit codes: 0 the URL is good, 10 it is refused, 2 misuse, 23 the output cannot be written.)";
}

std::string load_help() {
  return R"(Each of -c callers asks again as soon as it has its answer, until -n requests or -d time are over.
Ctrl-C ends the run early and prints what there is. CPU is that of this process over the loop, user and system.

Modes
  shared     one client for all
  recreate   a new client, and Transport::shared(options), for every request: must cost next to nothing
  isolated   a transport of its own for every request: what programs do that build a client per call

Examples
  trunkline load http://127.0.0.1:8080/ -c 64 -d 10s
  trunkline load https://127.0.0.1:8443/ -k -c 8 -n 20000 --mode recreate
  trunkline load http://127.0.0.1:8080/ -c 8 -n 2000 --mode isolated --json

Exit codes: 0 all complete; 1 the counters do not add up; otherwise as of fetch, for the first error.)";
}

std::string scrape_help() {
  return R"(Each target is asked once a cycle, at a moment of its own; a cycle's table comes at its end. A target is
  fresh      it answered in this cycle
  late       it did not, but its answer to an earlier cycle has come since: see its age
  missing    nothing is known of it, and the reason says why

Examples
  trunkline scrape 127.0.0.1:9090 http://127.0.0.1:9100/metrics
  trunkline scrape --targets fleet.json --interval 5s --cycles 3 --want vllm:
  trunkline scrape --targets fleet.yml --json | jq -c '{cycle, dials, missing}'

Exit codes: 0; 1 a target of the last cycle was missing, or there was none; 2 misuse; 23 output cannot be written.)";
}

std::string metrics_help() {
  return R"(Examples
  trunkline metrics check http://127.0.0.1:8080/metrics
  some_exporter | trunkline metrics check -)";
}

std::string metrics_check_help() {
  return R"(Every problem is a line on stderr, FILE:LINE:COLUMN: what is wrong; columns count bytes from 1. Behind a bad
line reading goes on, so that one run shows them all (at most 100). A body that ends within a line, or OpenMetrics
without its # EOF, was cut off and is not valid.

With --json every sample that could be read is a line on stdout:
  {"name":"a_total","labels":{"x":"1"},"value":5,"timestamp":null,"type":"counter"}
Timestamps are in seconds in both formats. "NaN", "+Inf" and "-Inf" are strings.

Format auto: what the server's Content-Type says; of a file, OpenMetrics where it ends with # EOF.

Examples
  trunkline metrics check metrics.txt
  trunkline metrics check http://127.0.0.1:8080/metrics
  some_exporter | trunkline metrics check -
  trunkline metrics check --json metrics.txt | grep '"name":"up"'

Exit codes: 0 valid, 1 not valid, 2 misuse or a file that cannot be read, 10 to 16 the URL cannot be fetched (as of
fetch), 23 the output cannot be written.)";
}

}  // namespace trunkline::cli
