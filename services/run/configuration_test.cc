#include "services/run/configuration.h"

#include <gtest/gtest.h>

namespace trunkline::run {
namespace {

Surroundings surroundings_of_the_test() {
  Surroundings out;
  out.environment = [](const std::string& name) -> std::optional<std::string> {
    return name == "SECRET" ? std::optional<std::string>("hush") : std::nullopt;
  };
  out.file = [](const std::string& path) -> Result<std::string> { return "from " + path; };
  return out;
}

Result<Configuration> parsed(std::string_view text) {
  return parse_configuration(text, "/etc/trunkline/t.yaml", surroundings_of_the_test());
}
std::string problems_of(std::string_view text) {
  const Result<Configuration> result = parsed(text);
  return result ? "" : result.error().message;
}
std::string job_with(const std::string& fields) {
  return "scrape: {jobs: [{name: web, targets: [\"10.0.0.1:80\"], " + fields + "}]}";
}

TEST(Configuration, of_one_empty_mapping_is_all_defaults) {
  const Configuration all = parsed("{}").value();
  EXPECT_EQ(all.admin.listen, "127.0.0.1:9600");
  EXPECT_TRUE(all.admin.console);
  EXPECT_EQ(all.drain, std::chrono::seconds(10));
  EXPECT_EQ(all.scrape.interval, std::chrono::seconds(15));
  EXPECT_EQ(all.scrape.timeout, std::chrono::seconds(10));
  EXPECT_TRUE(all.scrape.jobs.empty());
}

TEST(Configuration, tells_every_mistake_at_once_with_place_field_and_nearest_name) {
  EXPECT_EQ(problems_of("admin:\n  lisen: 127.0.0.1:1\ndrain: soon\nscrape:\n  jobs:\n  - name: a\n"),
            "/etc/trunkline/t.yaml:2:3: admin.lisen: there is no such field, did you mean \"listen\"?\n"
            "/etc/trunkline/t.yaml:3:8: drain: expected a time from 0s to 1d, such as 500ms or 15s, got \"soon\"\n"
            "/etc/trunkline/t.yaml:6:5: scrape.jobs[0]: needs exactly one of targets, file and dns");
}

TEST(Configuration, refuses_what_could_not_be_scraped) {
  const struct {
    std::string text;
    std::string message;
  } cases[] = {
      {"scrape: {jobs: [{name: a, targets: [\"ftp://h/\"]}]}", "scrape.jobs[0].targets[0]: the target ftp://h/"},
      {"scrape: {jobs: [{name: a, file: targets.txt}]}", "scrape.jobs[0].file: expected a file of file_sd"},
      {"scrape: {jobs: [{name: a, dns: {name: h}}]}", "scrape.jobs[0].dns: needs name and port"},
      {"scrape: {jobs: [{name: a, targets: []}, {name: a, targets: []}]}",
       "scrape.jobs[1].name: another job has that name already"},
      {"scrape: {jobs: [{targets: []}]}", "scrape.jobs[0].name: a job needs a name"},
      {job_with("scheme: htps"), "expected one of http https; got \"htps\", did you mean \"https\"?"},
      {job_with("path: metrics"), "scrape.jobs[0].path: expected a path that begins with /"},
      {job_with("path: \"/a b\""), "scrape.jobs[0].path: expected a path that begins with /, as it stands in a URL"},
      {job_with("proxy: \"ftp://x\""), "scrape.jobs[0].proxy: "},
      {job_with("user: b"), "scrape.jobs[0].user: needs password or password_file"},
      {job_with("labels: {a-b: c}"), "scrape.jobs[0].labels: \"a-b\" cannot be a label"},
      {job_with("labels: {__b: c}"), "scrape.jobs[0].labels: \"__b\" cannot be a label"},
      {job_with("prewarm: 15s"), "scrape.jobs[0].prewarm: must be shorter than the interval, which is 15s"},
      {"scrape: {jobs: [{name: a, dns: {name: \"b c\", port: 1}}]}", "scrape.jobs[0].dns.name: this cannot be"},
      {job_with("bearer_token: a, user: b"), "give one of a bearer token, a token file, or a user with password"},
      {job_with("tls: {key_file: k.pem}"), "scrape.jobs[0].tls: key_file is the key of certificate_file"},
      {"scrape: {interval: 1ms}", "scrape.interval: expected a time from 100ms"},
      {"admin: {listen: \":9600\"}", "admin.listen: \":9600\" names a port only"},
      {"admin: {listen: \"0.0.0.0:9600\"}", "admin.listen: other machines could read all that is shown"},
      {"admin: {listen: \"[::]:9600\", user: ann}", "admin: user and password belong together"},
      {"admin: {user: \"a:b\", password: c}", "admin.user: a user's name has no colon"},
      {"admin: {tls: {key_file: k.pem}}", "admin.tls: key_file is the key of certificate_file"},
      {"", "holds nothing"},
      {"a: 1\n---\nb: 2\n", "holds more than one document"},
      {"[]", "expected a mapping, got a list"},
  };
  for (const auto& one : cases) {
    EXPECT_NE(problems_of(one.text).find(one.message), std::string::npos) << one.text << "\n" << problems_of(one.text);
  }
}

TEST(Configuration, lets_other_machines_read_where_they_are_asked_or_nobody_minds) {
  for (const char* admin : {"user: ann, password: s", "bearer_token: t", "unprotected: true"}) {
    const auto all = parsed("admin: {listen: \"0.0.0.0:9600\", " + std::string(admin) + "}");
    EXPECT_TRUE(all) << all.error().message;
  }
  EXPECT_TRUE(parsed("admin: {listen: \"unix:/run/t.socket\"}"));
  EXPECT_NE(problems_of("admin: {bearer_token: \"a:b\"}").find("no request could bring this one"), std::string::npos);
  EXPECT_NE(problems_of("admin: {user: a, password: \"b\\n\"}").find("no request could bring"), std::string::npos);
  EXPECT_EQ(parsed("admin: {tls: {certificate_file: c.pem}}").value().admin.certificate_file, "/etc/trunkline/c.pem");
}

TEST(Configuration, takes_a_shorter_timeout_where_the_interval_is_short) {
  EXPECT_EQ(parsed("scrape: {interval: 2s}").value().scrape.timeout, std::chrono::seconds(2));
  EXPECT_EQ(parsed("scrape: {interval: 2s, timeout: 500ms}").value().scrape.timeout, std::chrono::milliseconds(500));
}

TEST(Configuration, counts_relative_paths_from_the_folder_of_the_file) {
  const Configuration all = parsed(
                                "scrape: {jobs: [{name: a, file: ../fleet.json, bearer_token_file: /run/t, prewarm: "
                                "250ms, tls: {ca_file: ca.pem}}]}")
                                .value();
  EXPECT_EQ(all.scrape.jobs[0].file, "/etc/fleet.json");
  EXPECT_EQ(all.scrape.jobs[0].bearer_token_file, "/run/t");
  EXPECT_EQ(job_of(all.scrape.jobs[0])->prewarm, std::chrono::milliseconds(250));
  EXPECT_EQ(all.scrape.jobs[0].tls.ca_file, "/etc/trunkline/ca.pem");
}

TEST(Configuration, uses_secrets_and_prints_where_they_are_from) {
  const Configuration all = parsed(job_with("user: me, password: \"${env:SECRET}\"")).value();
  EXPECT_EQ(all.scrape.jobs[0].password, "hush");
  const std::string printed = print_configuration(all);
  EXPECT_EQ(printed.find("hush"), std::string::npos);
  EXPECT_NE(printed.find("password: \"${env:SECRET}\""), std::string::npos);
}

TEST(Configuration, keeps_of_the_listener_s_secrets_what_knows_them_again_and_not_their_text) {
  const Configuration all =
      parsed("admin: {user: ann, password: \"${file:/run/t}\", bearer_token: \"${env:SECRET}\"}").value();
  EXPECT_EQ(all.admin.login, KeptSecret::login("ann", "from /run/t"));
  EXPECT_EQ(all.admin.bearer_token, KeptSecret("hush"));
  for (const Reference& one : all.references) EXPECT_EQ(one.value, "") << one.field;
  const std::string printed = print_configuration(all);
  EXPECT_NE(printed.find("password: \"${file:/run/t}\""), std::string::npos) << printed;
  EXPECT_NE(printed.find("bearer_token: \"${env:SECRET}\""), std::string::npos) << printed;
  EXPECT_EQ(parsed(printed).value().admin.login, all.admin.login);
}

TEST(Configuration, hides_a_secret_of_the_listener_that_stands_in_the_file_itself) {
  const Configuration all = parsed("admin: {user: ann, password: plain, bearer_token: word}").value();
  EXPECT_EQ(all.admin.login, KeptSecret::login("ann", "plain"));
  const std::string printed = print_configuration(all);
  for (const char* secret : {"plain", "word\n"}) EXPECT_EQ(printed.find(secret), std::string::npos) << printed;
  const std::string problems = problems_of(printed);
  EXPECT_NE(problems.find("admin.password: \"(hidden)\" is what `config print` shows"), std::string::npos) << problems;
  EXPECT_NE(problems.find("admin.bearer_token: \"(hidden)\" is what"), std::string::npos) << problems;
}

TEST(Configuration, shows_no_secret_in_a_message) {
  for (const char* text :
       {"drain: ${env:SECRET}", "admin: {listen: \"${env:SECRET}\"}",
        "scrape: {jobs: [{name: a, scheme: \"${env:SECRET}\", targets: [\"ftp://${env:SECRET}\"]}]}"}) {
    const std::string problems = problems_of(text);
    EXPECT_NE(problems, "") << text;
    EXPECT_EQ(problems.find("hush"), std::string::npos) << problems;
  }
}

TEST(Configuration, prints_what_reads_as_the_same) {
  const std::string text = R"(
admin: {listen: "127.0.0.1:0", console: false}
drain: 1500ms
scrape:
  interval: 5s
  concurrency: 3
  limits: {body: 1Mi, samples: 10}
  jobs:
  - {name: a, targets: [h:1, "http://h/m"], labels: {tier: front, n: "1"}, proxy: "http://p:1"}
  - {name: b, dns: {name: h.internal, port: 9100, every: 10s}, scheme: https, path: /m, bearer_token: "${file:/run/t}"}
  - {name: c, file: c.yml, user: me, password_file: pw, tls: {ca_file: ca, insecure_skip_verify: true}}
)";
  const Configuration first = parsed(text).value();
  const std::string printed = print_configuration(first);
  const Result<Configuration> second = parsed(printed);
  ASSERT_TRUE(second) << second.error().message << printed;
  EXPECT_EQ(print_configuration(*second), printed);
  EXPECT_EQ(second->scrape.jobs, first.scrape.jobs);
  EXPECT_EQ(second->scrape.jobs[1].bearer_token, "from /run/t");
}

}  // namespace
}  // namespace trunkline::run
