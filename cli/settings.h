// The command line as it was written, one struct per subcommand: text and switches, nothing interpreted yet.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace trunkline::cli {

// What decides the transport; options_from() makes Options of it.
struct TransportFlags {
  std::string preset = "standard";
  bool insecure = false;
  std::string ca_file;
  std::string ca_directory;
  std::string certificate;
  std::string key;
  std::string server_name;
  bool tls_1_2 = false;
  bool tls_1_3 = false;
  bool no_session_resumption = false;
  bool http1 = false;
  bool http2 = false;
  bool h2c = false;
  std::string proxy;
  std::string socks5;           // HOST[:PORT], names resolved here
  std::string socks5_hostname;  // the same, names resolved by the proxy
  std::string no_proxy;
  bool proxy_insecure = false;
  std::string proxy_ca_file;
  bool proxy_from_environment = false;
  std::string bind_address;
  std::vector<std::string> resolve;  // HOST:PORT:ADDRESS
  std::string max_time;
  std::string connect_timeout;
  std::string idle_timeout;
  std::optional<int> max_connections;
  std::optional<std::string> max_body;
  std::vector<std::string> timeouts;  // NAME=T
  std::vector<std::string> limits;    // NAME=N
  bool no_retry = false;
  std::optional<std::string> user_agent;
  bool compressed = false;
};

// What decides the requests; for fetch and load alike.
struct RequestFlags {
  std::string method;
  std::vector<std::string> headers;      // "Name: value", "Name;", "Name:" or "@file"
  std::vector<std::string> data;         // text or @file, without its line ends
  std::vector<std::string> data_binary;  // text or @file as it is
  std::string user;                      // name:password
  bool head = false;
  bool fresh = false;
  bool idempotent = false;
  bool expect_continue = false;
};

struct FetchFlags {
  TransportFlags transport;
  RequestFlags request;
  std::vector<std::string> urls;
  std::vector<std::string> outputs;  // one per URL, in order; "-" is stdout
  std::string batch;                 // a file, "-" for stdin; empty: none
  int parallel = 1;
  int repeat = 1;
  std::string delay;
  bool recreate_client = false;
  bool isolated = false;
  bool follow = false;
  bool allow_downgrade = false;
  int max_redirects = 10;
  std::vector<std::string> secret_headers;
  int retry = 0;  // times, after the first
  std::string retry_delay;
  std::string retry_max_time;
  bool retry_all_errors = false;
  bool sse = false;
  bool show_secrets = false;
  bool verbose = false;
  bool silent = false;
  bool show_error = false;
  bool include_head = false;
  bool fail = false;
  bool json = false;
  bool include_body = false;
  bool trace = false;
  std::vector<std::string> ws_messages;   // sent one after another, a reply awaited to each
  std::vector<std::string> ws_protocols;  // subprotocols, the preferred first
  bool ws_deflate = false;
};

struct UrlFlags {
  std::string url;
  std::string base;
  bool json = false;
  bool show_secrets = false;
};

struct MetricsCheckFlags {
  std::string source = "-";  // a file, a URL, or "-" for stdin
  std::string format = "auto";
  bool json = false;
};

struct ScrapeFlags {
  ScrapeFlags() { transport.preset = "scrape"; }

  TransportFlags transport;
  std::vector<std::string> urls;  // URLs or host:port
  std::string targets;            // a file of Prometheus's file_sd
  std::string interval = "15s";
  std::string timeout;
  std::string prewarm;        // so long before each scrape a connection is opened; empty: never
  std::optional<int> cycles;  // none: until Ctrl-C
  int concurrency = 256;
  std::vector<std::string> wanted;  // prefixes of names
  std::string user;                 // name:password
  std::string token_file;
  bool json = false;
};

struct LoadFlags {
  TransportFlags transport;
  RequestFlags request;
  std::string url;
  int concurrency = 8;
  std::optional<long long> requests;
  std::string duration;
  std::string mode = "shared";
  bool blocking = false;
  bool json = false;
};

}  // namespace trunkline::cli
