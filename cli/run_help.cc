#include "run_help.h"

namespace trunkline::cli {

std::string run_help() {
  return R"(A file that scrapes two servers:
  scrape:
    jobs:
      - name: web
        targets: ["127.0.0.1:8001", "127.0.0.1:8002"]

While it runs, http://127.0.0.1:9600 has the console, and /healthz, /readyz and /metrics.
  SIGHUP            the file is read again; when it is not good, nothing changes
  SIGTERM, SIGINT   ends in order, within `drain:` of the file; a second one ends at once

Examples
  trunkline config check trunkline.yaml && trunkline run -c trunkline.yaml
  trunkline run -c trunkline.yaml --log json 2>> trunkline.log

Exit codes: 0 told to end, and all ended in order; 1 something had to be cut off, or it could not start (the address
is taken); 2 misuse; 10 the file is wrong; 130, 143 a second signal.)";
}

std::string config_help() {
  return R"(${env:NAME} and ${file:PATH} in a value stand for a variable and for a file's text. They are looked up, and
shown nowhere.

Examples
  trunkline config check trunkline.yaml         trunkline.yaml:7:5: scrape.jobs[0].pth: there is no such field, ...
  trunkline config print trunkline.yaml         what it means, every default included

Exit codes: 0 good, 2 misuse, 10 wrong, 23 the output cannot be written.)";
}

std::string status_help() {
  return R"(Examples
  trunkline status
  trunkline status --connections
  trunkline status --url http://127.0.0.1:9700 --json | jq .transport.pool

Exit codes: 0; 1 it answers, and is not ready; 10 to 16 it cannot be asked (as of fetch); 22 it refuses.)";
}

std::string explain_help() {
  return R"(A decision is a line, and each of its stages a line below it.

Examples
  trunkline explain web
  trunkline explain web --last 5
  trunkline explain web --last 100 --json | jq -c '[.t,.current,.desired,.action]'

Exit codes: 0; 1 there is no such fleet; 10 to 16 nobody answers (as of fetch); 22 it refuses.)";
}

}  // namespace trunkline::cli
