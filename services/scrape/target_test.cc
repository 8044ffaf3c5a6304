#include "services/scrape/target.h"

#include <gtest/gtest.h>

namespace trunkline::scrape {
namespace target_test {

std::shared_ptr<Job> job() { return std::make_shared<Job>(); }

TargetPtr target(const std::shared_ptr<const Job>& of, std::string_view address, const Labels& labels = {}) {
  Result<TargetPtr> made = make_target(of, address, labels);
  return made ? *made : nullptr;
}

TEST(ScrapeTarget, makes_a_url_of_host_and_port) {
  const TargetPtr made = target(job(), "10.0.0.1:9090");
  ASSERT_TRUE(made);
  EXPECT_EQ(made->url, "http://10.0.0.1:9090/metrics");
  EXPECT_EQ(made->instance, "10.0.0.1:9090");
  EXPECT_EQ(target(job(), "[::1]:9090")->instance, "[::1]:9090");
  EXPECT_EQ(target(job(), "example.org")->instance, "example.org:80");
  EXPECT_EQ(target(job(), "https://example.org/m?x=1")->url, "https://example.org/m?x=1");
}

TEST(ScrapeTarget, follows_the_labels_that_say_how_to_ask) {
  const TargetPtr made =
      target(job(), "a:1",
             {{"zone", "b"}, {"__scheme__", "https"}, {"__metrics_path__", "/m"}, {"__meta_x", "y"}, {"app", "c"}});
  ASSERT_TRUE(made);
  EXPECT_EQ(made->url, "https://a:1/m");
  EXPECT_EQ(made->labels, (Labels{{"app", "c"}, {"zone", "b"}}));
}

TEST(ScrapeTarget, refuses_what_cannot_be_asked) {
  for (const std::string_view bad :
       {"", "a:1/metrics", "ftp://a/", "a:99999", "http://user:hush@a/", "a b:1", "http://u:hush@a b/"}) {
    const Result<TargetPtr> made = make_target(job(), bad);
    EXPECT_FALSE(made) << bad;
    if (!made) {
      EXPECT_EQ(made.error().message.find("hush"), std::string::npos);
    }
  }
}

TEST(ScrapeTarget, is_the_same_for_two_jobs_that_ask_alike) {
  auto other = job();
  other->name = "other";
  EXPECT_EQ(target(job(), "a:1")->identity, target(other, "a:1")->identity);
  for (const auto& change : std::vector<void (*)(Job&)>{
           [](Job& j) { j.bearer_token = "t"; },
           [](Job& j) { j.bearer_token_file = "t"; },
           [](Job& j) { j.basic_user = "t"; },
           [](Job& j) { j.tls.server_name = "t"; },
           [](Job& j) { j.tls.insecure_skip_verify = true; },
           [](Job& j) { j.proxy = "http://p:1"; },
       }) {
    auto changed = job();
    change(*changed);
    EXPECT_NE(target(job(), "a:1")->identity, target(changed, "a:1")->identity);
  }
}

TEST(ScrapeTarget, knows_whether_its_path_is_that_of_its_job) {
  auto federated = job();
  federated->path = "/federate?match[]={job=\"x\"}";
  EXPECT_TRUE(target(federated, "a:1")->usual_path) << "however it is spelt";
  EXPECT_TRUE(target(job(), "http://a:1/metrics")->usual_path);
  EXPECT_FALSE(target(job(), "http://a:1/other")->usual_path);
  EXPECT_FALSE(target(job(), "a:1", {{"__metrics_path__", "/other"}})->usual_path);
}

TEST(ScrapeTarget, holds_no_secret_in_its_identity) {
  auto secret = job();
  secret->bearer_token = "hush-hush";
  EXPECT_EQ(target(secret, "a:1")->identity.find("hush"), std::string::npos);
}

TEST(ScrapeTargetChanges, tells_added_removed_relabelled_and_kept_apart) {
  const auto of = job();
  const std::vector<TargetPtr> before = {target(of, "a:1"), target(of, "b:1"), target(of, "c:1", {{"v", "1"}})};
  const std::vector<TargetPtr> after = {target(of, "a:1"), target(of, "c:1", {{"v", "2"}}), target(of, "d:1"),
                                        target(of, "d:1", {{"twice", "1"}})};
  const TargetChanges changed = changes(before, after);
  ASSERT_EQ(changed.added.size(), 1U);
  EXPECT_EQ(changed.added[0]->instance, "d:1");
  EXPECT_TRUE(changed.added[0]->labels.empty());
  ASSERT_EQ(changed.removed.size(), 1U);
  EXPECT_EQ(changed.removed[0]->instance, "b:1");
  ASSERT_EQ(changed.relabelled.size(), 1U);
  EXPECT_EQ(changed.relabelled[0]->labels[0].second, "2");
  EXPECT_EQ(changed.kept, 1U);
}

TEST(ScrapeJob, takes_one_way_to_say_who_asks) {
  Job one;
  one.bearer_token_file = "t";
  EXPECT_TRUE(check(one));
  one.basic_user = "u";
  EXPECT_FALSE(check(one));
  Job two;
  two.basic_user = "u";
  two.basic_password = "hush";
  EXPECT_TRUE(check(two));
  two.basic_password_file = "f";
  const Result<void> refused = check(two);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message.find("hush"), std::string::npos);
}

}  // namespace target_test
}  // namespace trunkline::scrape
