#include "flags.h"

#include <gtest/gtest.h>

namespace trunkline::cli {
namespace {

FetchFlags fetch(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "fetch");
  CommandLine line = parse_command_line(arguments);
  if (const Answer* answer = std::get_if<Answer>(&line)) ADD_FAILURE() << answer->err;
  const FetchFlags* flags = std::get_if<FetchFlags>(&line);
  return flags ? *flags : FetchFlags();
}

Answer answer(const std::vector<std::string>& arguments) {
  CommandLine line = parse_command_line(arguments);
  const Answer* answer = std::get_if<Answer>(&line);
  EXPECT_TRUE(answer) << "was accepted";
  return answer ? *answer : Answer();
}

TEST(Flags, reads_curls_names) {
  const FetchFlags flags =
      fetch({"-sSLkv", "-XPUT", "-H", "A: 1",       "-H",        "B: 2",           "-d@file", "http://a/",
             "-o",     "-",     "-x", "http://p:1", "--resolve", "a:80:127.0.0.1", "-u",      "me:secret",
             "-A",     "agent", "-m", "1.5",        "--tlsv1.3", "--http1.1",      "-i",      "-f"});
  EXPECT_TRUE(flags.silent && flags.show_error && flags.follow && flags.transport.insecure && flags.verbose);
  EXPECT_TRUE(flags.include_head && flags.fail && flags.transport.tls_1_3 && flags.transport.http1);
  EXPECT_EQ(flags.request.method, "PUT");
  EXPECT_EQ(flags.request.headers, (std::vector<std::string>{"A: 1", "B: 2"}));
  EXPECT_EQ(flags.request.data, std::vector<std::string>{"@file"});
  EXPECT_EQ(flags.urls, std::vector<std::string>{"http://a/"});
  EXPECT_EQ(flags.outputs, std::vector<std::string>{"-"});
  EXPECT_EQ(flags.transport.proxy, "http://p:1");
  EXPECT_EQ(flags.transport.resolve, std::vector<std::string>{"a:80:127.0.0.1"});
  EXPECT_EQ(flags.request.user, "me:secret");
  EXPECT_EQ(flags.transport.user_agent, "agent");
  EXPECT_EQ(flags.transport.max_time, "1.5");
}

TEST(Flags, reads_the_flags_of_our_own) {
  const FetchFlags flags = fetch({"--json",
                                  "--parallel",
                                  "8",
                                  "--repeat=100",
                                  "--delay",
                                  "500ms",
                                  "--recreate-client",
                                  "--isolated",
                                  "--no-retry",
                                  "--max-body",
                                  "1MiB",
                                  "--trace",
                                  "--include-body",
                                  "--batch",
                                  "-",
                                  "--preset",
                                  "scrape",
                                  "--max-connections",
                                  "4",
                                  "--idle-timeout",
                                  "2",
                                  "--proxy-from-env",
                                  "--fresh",
                                  "--timeout",
                                  "first_byte=1s",
                                  "--limit",
                                  "idle_total=7",
                                  "--show-secrets"});
  EXPECT_TRUE(flags.json && flags.recreate_client && flags.isolated && flags.transport.no_retry && flags.trace);
  EXPECT_TRUE(flags.include_body && flags.transport.proxy_from_environment && flags.request.fresh &&
              flags.show_secrets);
  EXPECT_EQ(flags.parallel, 8);
  EXPECT_EQ(flags.repeat, 100);
  EXPECT_EQ(flags.delay, "500ms");
  EXPECT_EQ(flags.batch, "-");
  EXPECT_EQ(flags.transport.preset, "scrape");
  EXPECT_EQ(flags.transport.max_connections, 4);
  EXPECT_EQ(flags.transport.max_body, "1MiB");
  EXPECT_EQ(flags.transport.timeouts, std::vector<std::string>{"first_byte=1s"});
  EXPECT_EQ(flags.transport.limits, std::vector<std::string>{"idle_total=7"});
}

TEST(Flags, takes_texts_that_look_like_lists_or_flags_as_they_are) {
  EXPECT_EQ(fetch({"-d", "[1,2]", "http://a/"}).request.data, std::vector<std::string>{"[1,2]"});
  EXPECT_EQ(fetch({"-H", "X: [a,b]", "http://a/"}).request.headers, std::vector<std::string>{"X: [a,b]"});
  EXPECT_EQ(fetch({"-d", "-1", "http://a/"}).request.data, std::vector<std::string>{"-1"});
  EXPECT_EQ(fetch({"-d", "", "http://a/"}).request.data, std::vector<std::string>{""});
  EXPECT_EQ(fetch({"-A", "", "http://a/"}).transport.user_agent, "");
  EXPECT_EQ(fetch({"http://a/", "http://b/"}).urls.size(), 2u);
}

TEST(Flags, lets_the_last_value_count) {
  EXPECT_EQ(fetch({"-X", "PUT", "-X", "PATCH", "http://a/"}).request.method, "PATCH");
}

TEST(Flags, head_shows_the_head) {
  const FetchFlags flags = fetch({"-I", "http://a/"});
  EXPECT_TRUE(flags.request.head && flags.include_head);
}

TEST(Flags, suggests_the_nearest_name) {
  const Answer flag = answer({"fetch", "--paralel", "3", "http://a/"});
  EXPECT_EQ(flag.code, 2);
  EXPECT_NE(flag.err.find("--parallel"), std::string::npos) << flag.err;
  const Answer cut = answer({"fetch", "--max-conn=3", "http://a/"});
  EXPECT_NE(cut.err.find("--max-connections"), std::string::npos) << cut.err;
  const Answer word = answer({"fecth", "http://a/"});
  EXPECT_EQ(word.code, 2);
  EXPECT_NE(word.err.find("\"fetch\""), std::string::npos) << word.err;
  const Answer far = answer({"fetch", "--zzzzzz", "http://a/"});
  EXPECT_EQ(far.err.find("did you mean"), std::string::npos) << far.err;
}

TEST(Flags, refuses_values_that_are_no_numbers) {
  const Answer wrong = answer({"fetch", "--parallel", "many", "http://a/"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_NE(wrong.err.find("--parallel"), std::string::npos) << wrong.err;
  EXPECT_EQ(answer({"fetch", "-o"}).code, 2);
  EXPECT_EQ(answer({"url"}).code, 2);
  EXPECT_EQ(answer({"url", "http://a/", "http://b/"}).code, 2);
  EXPECT_EQ(answer({}).code, 2);
}

TEST(Flags, helps) {
  const Answer all = answer({"--help"});
  EXPECT_EQ(all.code, 0);
  EXPECT_NE(all.out.find("trunkline load http"), std::string::npos) << all.out;
  const Answer one = answer({"fetch", "--help"});
  EXPECT_EQ(one.code, 0);
  for (const char* words : {"--recreate-client", "rejected", "overloaded", "timed_out", "first_byte", "Examples"}) {
    EXPECT_NE(one.out.find(words), std::string::npos) << words << " in\n" << one.out;
  }
  EXPECT_EQ(answer({"--version"}).out.substr(0, 10), "trunkline ");
}

TEST(Flags, reads_url_and_load) {
  CommandLine url = parse_command_line({"url", "../x", "--base", "http://a/b", "--json"});
  ASSERT_TRUE(std::holds_alternative<UrlFlags>(url));
  EXPECT_EQ(std::get<UrlFlags>(url).base, "http://a/b");
  CommandLine load = parse_command_line({"load", "http://a/", "-c", "64", "-n", "1000", "--mode", "isolated", "-k"});
  ASSERT_TRUE(std::holds_alternative<LoadFlags>(load));
  EXPECT_EQ(std::get<LoadFlags>(load).concurrency, 64);
  EXPECT_EQ(std::get<LoadFlags>(load).requests, 1000);
  EXPECT_EQ(std::get<LoadFlags>(load).mode, "isolated");
  EXPECT_TRUE(std::get<LoadFlags>(load).transport.insecure);
}

TEST(Flags, reads_metrics_check_and_teaches_its_group) {
  CommandLine check = parse_command_line({"metrics", "check", "--json", "--format", "openmetrics", "page"});
  ASSERT_TRUE(std::holds_alternative<MetricsCheckFlags>(check));
  EXPECT_EQ(std::get<MetricsCheckFlags>(check).source, "page");
  EXPECT_EQ(std::get<MetricsCheckFlags>(check).format, "openmetrics");
  EXPECT_TRUE(std::get<MetricsCheckFlags>(check).json);
  CommandLine stdin_check = parse_command_line({"metrics", "check"});
  ASSERT_TRUE(std::holds_alternative<MetricsCheckFlags>(stdin_check));
  EXPECT_EQ(std::get<MetricsCheckFlags>(stdin_check).source, "-");
  EXPECT_NE(answer({"metrics"}).err.find("Examples"), std::string::npos);
  EXPECT_NE(answer({"metrics", "check", "--format", "xml"}).err.find("trunkline metrics check"), std::string::npos);
  EXPECT_EQ(answer({"metrics", "check", "a", "b"}).code, 2);
}

}  // namespace
}  // namespace trunkline::cli
