#include "services/run/job_sources.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

namespace trunkline::run {
namespace {

ScrapeJob job(std::string name, std::vector<std::string> targets) {
  ScrapeJob out;
  out.name = std::move(name);
  out.targets = std::move(targets);
  return out;
}

std::string urls_of(const JobSources& sources) {
  std::string out;
  for (const scrape::TargetPtr& target : sources.targets()) out += target->job->name + "=" + target->url + ' ';
  return out;
}

TEST(JobSources, are_the_targets_of_all_jobs_in_their_order) {
  JobSources sources({job("a", {"h:1", "h:2"}), job("b", {"h:3"})});
  EXPECT_TRUE(sources.refresh(TimePoint{}));
  EXPECT_EQ(urls_of(sources), "a=http://h:1/metrics a=http://h:2/metrics b=http://h:3/metrics ");
  EXPECT_FALSE(sources.refresh(TimePoint{}));
}

TEST(JobSources, follow_what_they_are_told_and_keep_what_stays) {
  JobSources sources({job("a", {"h:1"}), job("b", {"h:2"})});
  sources.refresh(TimePoint{});
  const scrape::TargetPtr kept = sources.targets().back();
  sources.set({job("b", {"h:2"}), job("c", {"h:3"})});
  EXPECT_TRUE(sources.refresh(TimePoint{}));
  EXPECT_EQ(urls_of(sources), "b=http://h:2/metrics c=http://h:3/metrics ");
  EXPECT_EQ(sources.targets().front(), kept);
}

TEST(JobSources, keep_what_a_changed_job_had_until_its_own_source_knows) {
  JobSources sources({job("a", {"h:1"}), job("b", {"h:2"})});
  sources.refresh(TimePoint{});
  const std::string path = testing::TempDir() + "job_sources_changed_test.json";
  std::remove(path.c_str());
  ScrapeJob changed;
  changed.name = "a";
  changed.file = path;
  sources.set({changed, job("b", {"h:2"})});
  EXPECT_TRUE(sources.refresh(TimePoint{}));
  EXPECT_EQ(urls_of(sources), "a=http://h:1/metrics b=http://h:2/metrics ") << "its file cannot be read yet";
  changed.labels = {{"tier", "front"}};
  sources.set({changed, job("b", {"h:2"})});
  sources.refresh(TimePoint{});
  EXPECT_EQ(urls_of(sources), "a=http://h:1/metrics b=http://h:2/metrics ") << "nor now";

  std::ofstream(path) << R"([{"targets": ["h:3"]}])";
  EXPECT_TRUE(sources.refresh(TimePoint{}));
  EXPECT_EQ(urls_of(sources), "a=http://h:3/metrics b=http://h:2/metrics ");
  std::ofstream(path) << "[]";
  EXPECT_TRUE(sources.refresh(TimePoint{}));
  EXPECT_EQ(urls_of(sources), "b=http://h:2/metrics ") << "what it says counts, although it is nothing";
  std::remove(path.c_str());
}

TEST(JobSources, name_the_job_whose_list_cannot_be_read) {
  ScrapeJob broken;
  broken.name = "b";
  broken.file = "/nowhere/at-all.json";
  JobSources sources({job("a", {"h:1"}), broken});
  EXPECT_TRUE(sources.refresh(TimePoint{}));
  EXPECT_TRUE(sources.trouble().starts_with("job b: ")) << sources.trouble();
  EXPECT_EQ(sources.targets().size(), 1U);
}

TEST(JobSources, put_the_jobs_labels_on_targets_that_do_not_have_them) {
  const std::string path = testing::TempDir() + "job_sources_test.json";
  std::ofstream(path) << R"([{"targets": ["h:1"], "labels": {"own": "mine"}}])";
  ScrapeJob labelled;
  labelled.name = "a";
  labelled.file = path;
  labelled.labels = {{"own", "job's"}, {"tier", "front"}};
  JobSources sources({labelled});
  sources.refresh(TimePoint{});
  std::remove(path.c_str());
  ASSERT_EQ(sources.targets().size(), 1U);
  EXPECT_EQ(sources.targets()[0]->labels, (scrape::Labels{{"own", "mine"}, {"tier", "front"}}));
}

}  // namespace
}  // namespace trunkline::run
