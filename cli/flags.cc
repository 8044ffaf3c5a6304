#include "flags.h"

#include <CLI/CLI.hpp>

#include "autoscale_flags.h"
#include "backend_flags.h"
#include "base/nearest.h"
#include "demo_flags.h"
#include "exit_code.h"
#include "help.h"
#include "run_flags.h"

namespace trunkline::cli {
namespace {

// A value per flag, so that `-H 'A: b' URL` leaves the URL alone and `-d '[1,2]'` stays one text.
void add_list(CLI::App& app, const std::string& names, std::vector<std::string>& list, const std::string& help,
              const std::string& value, const std::string& group) {
  app.add_option(names, list, help)->allow_extra_args(false)->type_name(value)->group(group);
}

// The last one counts when it is given twice, as with curl.
template <class T>
CLI::Option* add_value(CLI::App& app, const std::string& names, T& field, const std::string& help,
                       const std::string& value, const std::string& group) {
  return app.add_option(names, field, help)->take_last()->type_name(value)->group(group);
}

void add_switch(CLI::App& app, const std::string& names, bool& field, const std::string& help,
                const std::string& group) {
  app.add_flag(names, field, help)->take_last()->group(group);
}

void add_request_flags(CLI::App& app, RequestFlags& flags) {
  const std::string group = "Request";
  add_value(app, "-X,--request,--method", flags.method, "method; default GET, or POST with data", "METHOD", group);
  add_list(app, "-H,--header", flags.headers, "header \"Name: value\", or @FILE with one per line", "HEADER", group);
  add_list(app, "--data-binary", flags.data_binary, "body, or @FILE as it is (@- stdin)", "DATA", group);
  add_value(app, "-u,--user", flags.user, "Authorization: Basic", "NAME:PASSWORD", group);
  add_switch(app, "-I,--head", flags.head, "HEAD; prints the response's head", group);
  add_switch(app, "--fresh", flags.fresh, "on a connection of its own, dialled for it", group);
  add_switch(app, "--idempotent", flags.idempotent, "may be sent twice although its method does not say so", group);
  add_switch(app, "--expect-continue", flags.expect_continue, "ask before sending the body", group);
}

void add_transport_flags(CLI::App& app, TransportFlags& flags) {
  const std::string tls = "TLS";
  add_switch(app, "-k,--insecure", flags.insecure, "accept ANY certificate", tls);
  add_value(app, "--cacert", flags.ca_file, "trust these instead of the system's roots", "FILE", tls);
  add_value(app, "--capath", flags.ca_directory, "the same, OpenSSL's hashed directory", "DIR", tls);
  add_value(app, "-E,--cert", flags.certificate, "client certificate chain, PEM", "FILE", tls);
  add_value(app, "--key", flags.key, "its private key; default: in the same file", "FILE", tls);
  add_value(app, "--tls-server-name", flags.server_name, "SNI and the name to verify, instead of the URL's", "NAME",
            tls);
  add_switch(app, "--tlsv1.2", flags.tls_1_2, "at least TLS 1.2 (the default)", tls);
  add_switch(app, "--tlsv1.3", flags.tls_1_3, "at least TLS 1.3", tls);
  add_switch(app, "--no-sessionid", flags.no_session_resumption, "no TLS session resumption", tls);

  const std::string connection = "Connection";
  add_value(app, "--preset", flags.preset, "start from standard, scrape, executor or internal", "NAME", connection);
  add_switch(app, "--http1.1", flags.http1, "HTTP/1.1 only", connection);
  add_switch(app, "--http2", flags.http2, "HTTP/2 over TLS or nothing", connection);
  add_switch(app, "--http2-prior-knowledge,--h2c", flags.h2c, "HTTP/2 in clear", connection);
  add_value(app, "-x,--proxy", flags.proxy, "proxy, KIND://[user:password@]host:port: http, https, socks5, socks5h",
            "URL", connection);
  add_value(app, "--socks5", flags.socks5, "SOCKS5 proxy, host:port; names are resolved here", "HOST", connection);
  add_value(app, "--socks5-hostname", flags.socks5_hostname, "the same; names are resolved by the proxy", "HOST",
            connection);
  add_value(app, "--noproxy", flags.no_proxy, "hosts to reach without the proxy, as in NO_PROXY", "LIST", connection);
  add_switch(app, "--proxy-insecure", flags.proxy_insecure, "accept ANY certificate of an https proxy", connection);
  add_value(app, "--proxy-cacert", flags.proxy_ca_file, "trust these for an https proxy", "FILE", connection);
  add_switch(app, "--proxy-from-env", flags.proxy_from_environment, "http_proxy, https_proxy, all_proxy, no_proxy",
             connection);
  add_value(app, "--interface", flags.bind_address, "local IP address to dial from", "ADDRESS", connection);
  add_list(app, "--resolve", flags.resolve, "dial this address for that host and port", "HOST:PORT:ADDRESS",
           connection);
  add_value(app, "--user-agent,-A", flags.user_agent, "User-Agent; \"\" for none", "TEXT", connection);
  add_switch(app, "--compressed", flags.compressed, "ask for gzip, deflate, br or zstd, and decode what comes",
             connection);

  const std::string limits = "Limits";
  add_value(app, "-m,--max-time", flags.max_time, "the whole call, redirects included", "TIME", limits);
  add_value(app, "--connect-timeout", flags.connect_timeout, "each of resolving, connecting, proxy and TLS", "TIME",
            limits);
  add_list(app, "--timeout", flags.timeouts, "any time limit by its name, below", "NAME=TIME", limits);
  add_value(app, "--max-body", flags.max_body, "bound of a response body", "SIZE", limits);
  add_value(app, "--max-connections", flags.max_connections, "open per host", "N", limits);
  add_value(app, "--idle-timeout", flags.idle_timeout, "how long idle connections are kept", "TIME", limits);
  add_list(app, "--limit", flags.limits, "any other limit by its name, below", "NAME=N", limits);
  add_switch(app, "--no-retry", flags.no_retry, "do not send again what a dying idle connection swallowed", limits);
}

CLI::App* add_fetch(CLI::App& app, FetchFlags& flags) {
  CLI::App* fetch = app.add_subcommand("fetch", "send requests and print what comes back");
  fetch->add_option("URL", flags.urls, "what to fetch")->type_name("");
  add_request_flags(*fetch, flags.request);
  add_list(*fetch, "-d,--data", flags.request.data, "body, or @FILE without its line ends; repeated: joined by &",
           "DATA", "Request");
  add_transport_flags(*fetch, flags.transport);

  const std::string many = "Many requests";
  add_value(*fetch, "-Z,--parallel", flags.parallel, "that many in flight; 1: one after another", "N", many);
  add_value(*fetch, "--repeat", flags.repeat, "all of it that often", "M", many);
  add_value(*fetch, "--delay", flags.delay, "between the starts of requests", "TIME", many);
  add_value(*fetch, "--batch", flags.batch, "requests as JSON lines; - is stdin", "FILE", many);
  add_switch(*fetch, "--recreate-client", flags.recreate_client, "a new client for each request", many);
  add_switch(*fetch, "--isolated", flags.isolated, "private transports; with --recreate-client one per request", many);

  const std::string redirects = "Redirects";
  add_switch(*fetch, "-L,--location", flags.follow, "follow redirects", redirects);
  add_value(*fetch, "--max-redirs", flags.max_redirects, "at most that many, default 10", "N", redirects);
  add_switch(*fetch, "--allow-downgrade", flags.allow_downgrade, "also from https to http", redirects);
  add_list(*fetch, "--secret-header", flags.secret_headers, "not shown, and not sent to another origin", "NAME",
           redirects);

  const std::string retries = "Retries";
  add_value(*fetch, "--retry", flags.retry, "again after what may pass, at most that often", "N", retries);
  add_value(*fetch, "--retry-delay", flags.retry_delay, "before each; default: random, up to 1 s, 2 s, 4 s, ...",
            "TIME", retries);
  add_value(*fetch, "--retry-max-time", flags.retry_max_time, "begin none later than that", "TIME", retries);
  add_switch(*fetch, "--retry-all-errors", flags.retry_all_errors,
             "also what may have been done already, and with -f every status of 400 or more", retries);

  const std::string output = "Output";
  add_list(*fetch, "-o,--output", flags.outputs, "body into a file, one per URL in order; - is stdout", "FILE", output);
  add_switch(*fetch, "-i,--include", flags.include_head, "the response's head in front of the body", output);
  add_switch(*fetch, "-f,--fail", flags.fail, "a status of 400 or more is a failure (22)", output);
  add_switch(*fetch, "--json", flags.json, "a JSON line per request, and one with the counters", output);
  add_switch(*fetch, "--include-body", flags.include_body, "in JSON too", output);
  add_switch(*fetch, "--sse", flags.sse, "print server-sent events as they come; JSON: a line each", output);
  add_switch(*fetch, "--trace", flags.trace, "what happened when, on stderr or in JSON", output);
  add_switch(*fetch, "-v,--verbose", flags.verbose, "connection, request and response heads, on stderr", output);
  add_switch(*fetch, "-s,--silent", flags.silent, "no error messages", output);
  add_switch(*fetch, "-S,--show-error", flags.show_error, "error messages in spite of -s or --json", output);
  add_switch(*fetch, "--show-secrets", flags.show_secrets, "credentials in -v", output);

  const std::string websocket = "WebSocket (ws:// and wss:// URLs)";
  add_list(*fetch, "--ws-message", flags.ws_messages, "sent as text, and a reply awaited and printed; then the next",
           "TEXT", websocket);
  add_list(*fetch, "--ws-protocol", flags.ws_protocols, "offer this subprotocol", "NAME", websocket);
  add_switch(*fetch, "--ws-deflate", flags.ws_deflate, "offer compression", websocket);
  fetch->footer(fetch_help());
  return fetch;
}

CLI::App* add_url(CLI::App& app, UrlFlags& flags) {
  CLI::App* url = app.add_subcommand("url", "the parts of a URL, or why it is refused");
  url->add_option("URL", flags.url, "absolute, or relative to --base")->required()->type_name("");
  add_value(*url, "--base", flags.base, "resolve against this one", "URL", "Options");
  add_switch(*url, "--json", flags.json, "one JSON object", "Options");
  add_switch(*url, "--show-secrets", flags.show_secrets, "user and password too", "Options");
  url->footer(url_help());
  return url;
}

CLI::App* add_load(CLI::App& app, LoadFlags& flags) {
  CLI::App* load = app.add_subcommand("load", "how fast, how costly, how many dials");
  load->add_option("URL", flags.url, "what to ask for")->required()->type_name("");
  const std::string group = "Load";
  add_value(*load, "-c,--concurrency", flags.concurrency, "callers, default 8", "N", group);
  add_value(*load, "-n,--requests", flags.requests, "end after that many requests", "N", group);
  add_value(*load, "-d,--duration", flags.duration, "or after that time, default 10s", "TIME", group);
  add_value(*load, "--mode", flags.mode, "shared, recreate or isolated", "MODE", group);
  add_switch(*load, "--blocking", flags.blocking, "a thread per caller and blocking calls, instead of callbacks",
             group);
  add_switch(*load, "--json", flags.json, "one JSON object instead of the table", group);
  add_request_flags(*load, flags.request);
  add_list(*load, "--data", flags.request.data, "body, or @FILE without its line ends", "DATA", "Request");
  add_transport_flags(*load, flags.transport);
  load->footer(load_help());
  return load;
}

CLI::App* add_scrape(CLI::App& app, ScrapeFlags& flags) {
  CLI::App* scrape = app.add_subcommand("scrape", "read a fleet's metrics, cycle by cycle");
  scrape->add_option("TARGET", flags.urls, "URLs, or host:port for http://host:port/metrics")->type_name("");
  const std::string group = "Scrape";
  add_value(*scrape, "--targets", flags.targets, "targets from Prometheus's file_sd, JSON or YAML, followed", "FILE",
            group);
  add_value(*scrape, "--interval", flags.interval, "of a cycle, default 15s", "TIME", group);
  add_value(*scrape, "--timeout-scrape", flags.timeout, "of one scrape, default 10s or the interval", "TIME", group);
  add_value(*scrape, "--prewarm", flags.prewarm, "open a lost connection so long before its scrape", "TIME", group);
  add_value(*scrape, "--cycles", flags.cycles, "end after so many; otherwise at Ctrl-C", "N", group);
  add_value(*scrape, "--concurrency", flags.concurrency, "scrapes under way at once, default 256", "N", group);
  add_list(*scrape, "--want", flags.wanted, "show samples whose names begin so", "PREFIX", group);
  add_value(*scrape, "-u,--user", flags.user, "basic authentication", "NAME:PASSWORD", group);
  add_value(*scrape, "--token-file", flags.token_file, "bearer token, read again when it changes", "FILE", group);
  add_switch(*scrape, "--json", flags.json, "a JSON object for each cycle and one at the end, a line each", group);
  add_transport_flags(*scrape, flags.transport);
  scrape->footer(scrape_help());
  return scrape;
}

// Of the group `metrics`, which does nothing by itself.
CLI::App* add_metrics_check(CLI::App& app, MetricsCheckFlags& flags) {
  CLI::App* metrics = app.add_subcommand("metrics", "read what others expose to Prometheus");
  metrics->footer(metrics_help());
  CLI::App* check = metrics->add_subcommand("check", "is it valid, and what does it say?");
  check->add_option("SOURCE", flags.source, "a file, a URL, or - for stdin (the default)")->type_name("");
  add_value(*check, "--format", flags.format, "text, openmetrics or auto (the default)", "NAME", "Options")
      ->check(CLI::IsMember({"text", "openmetrics", "auto"}));
  add_switch(*check, "--json", flags.json, "every sample as a line of JSON", "Options");
  check->footer(metrics_check_help());
  return check;
}

std::vector<std::string> names_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

// What the parser could not place: the first flag among it, or the first word.
std::string stray(const CLI::App& app) {
  const std::vector<std::string> left = app.remaining();
  for (const std::string& word : left) {
    if (word.size() > 1 && word.front() == '-') return word;
  }
  return left.empty() ? "" : left.front();
}

// "trunkline metrics check", from the outermost inwards.
std::string command_of(const CLI::App& app) {
  return app.get_parent() == nullptr ? "trunkline" : command_of(*app.get_parent()) + " " + app.get_name();
}

Answer mistake(const std::string& command, const std::string& message) {
  return {exit_misuse, "", command + ": " + message + "\nSee " + command + " --help\n"};
}

std::vector<std::string> subcommands_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* one : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(one->get_name());
  return names;
}

// `chosen`: the innermost command that was found.
Answer unknown_word(const CLI::App& app, const CLI::App& chosen) {
  const std::string command = command_of(chosen);
  std::string word = stray(chosen);
  if (word.empty()) word = stray(app);
  if (word.starts_with('-')) {
    const std::string name = word.substr(0, word.find('='));
    return mistake(command, "there is no flag " + name + did_you_mean(name, names_of(chosen)));
  }
  const std::vector<std::string> known = subcommands_of(chosen);
  if (known.empty()) return mistake(command, "\"" + word + "\" is one argument too many");
  return mistake(command, "there is no subcommand \"" + word + "\"" + did_you_mean(word, known));
}

}  // namespace

CommandLine parse_command_line(const std::vector<std::string>& arguments) {
  CLI::App app("trunkline: every outbound HTTP call on a few warm, bounded, observable connections.", "trunkline");
  app.get_formatter()->column_width(40);
  app.set_version_flag("-V,--version", "trunkline " TRUNKLINE_VERSION);
  app.footer(main_help());
  FetchFlags fetch_flags;
  UrlFlags url_flags;
  LoadFlags load_flags;
  MetricsCheckFlags metrics_check_flags;
  AutoscaleFlags autoscale_flags;
  ScrapeFlags scrape_flags;
  BackendFlags backend_flags;
  DemoFlags demo_flags;
  add_fetch(app, fetch_flags);
  const CLI::App* url = add_url(app, url_flags);
  const CLI::App* load = add_load(app, load_flags);
  const CLI::App* metrics_check = add_metrics_check(app, metrics_check_flags);
  const CLI::App* scrape = add_scrape(app, scrape_flags);
  CLI::App* autoscale = add_autoscale(app, autoscale_flags);
  const CLI::App* backend = add_backend(app, backend_flags);
  const CLI::App* demo = add_demo(app, demo_flags);
  RunFlags run_flags;
  ConfigFlags config_flags;
  StatusFlags status_flags;
  ExplainFlags explain_flags;
  const CLI::App* run = add_run(app, run_flags);
  const CLI::App* config = add_config(app, config_flags);
  const CLI::App* status = add_status(app, status_flags);
  const CLI::App* explain = add_explain(app, explain_flags);
  const CLI::App* autoscale_explain = add_explain(*autoscale, explain_flags);
  DoctorFlags doctor_flags;
  const CLI::App* doctor = add_doctor(app, doctor_flags);
  const CLI::App* chosen = nullptr;
  const auto choose = [&] {  // the innermost
    for (const CLI::App* at = &app; !at->get_subcommands().empty();) chosen = at = at->get_subcommands().front();
  };
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // CLI11 takes them from the back
    choose();
  } catch (const CLI::CallForHelp&) {
    return Answer{exit_ok, app.help() + "\n", ""};
  } catch (const CLI::CallForVersion&) {
    return Answer{exit_ok, "trunkline " TRUNKLINE_VERSION "\n", ""};
  } catch (const CLI::ExtrasError&) {
    choose();
    return unknown_word(app, chosen ? *chosen : app);
  } catch (const CLI::ConversionError& error) {
    choose();
    return mistake(command_of(*chosen), std::string(error.what()) + " (want a number)");
  } catch (const CLI::ParseError& error) {
    choose();
    return mistake(chosen ? command_of(*chosen) : "trunkline", error.what());
  }
  if (!chosen) return Answer{exit_misuse, "", app.help() + "\n"};
  if (!subcommands_of(*chosen).empty()) return Answer{exit_misuse, "", chosen->help("trunkline") + "\n"};
  if (chosen == url) return url_flags;
  if (chosen == load) return load_flags;
  if (chosen == scrape) return scrape_flags;
  if (chosen == backend) return backend_flags;
  if (chosen == demo) return demo_flags;
  if (chosen == doctor) return doctor_flags;
  if (chosen == metrics_check) return metrics_check_flags;
  if (chosen == run) return run_flags;
  if (chosen->get_parent() == config) return config_flags;
  if (chosen == status) return status_flags;
  if (chosen == explain || chosen == autoscale_explain) return explain_flags;
  if (chosen->get_parent() == autoscale) return autoscale_flags;
  if (fetch_flags.request.head) fetch_flags.include_head = true;
  return fetch_flags;
}

}  // namespace trunkline::cli
