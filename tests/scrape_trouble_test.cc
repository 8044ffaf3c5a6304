// Targets that misbehave: each fails alone, with a reason, and what is late keeps its true age.
#include <zlib.h>

#include <array>

#include "support/scraper.h"

namespace trunkline::test {
namespace {

using scrape::Outcome;
using scrape::TargetState;

std::string response(std::string_view body, std::string_view fields = {}) {
  return "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n" + std::string(fields) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

std::string gzipped(std::string_view text) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::array<char, 4096> out{};
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = out.size();
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  deflateEnd(&stream);
  return {out.data(), out.size() - stream.avail_out};
}

class ScrapeTroubleTest : public HttpTest {
 protected:
  Listener& serve_any() {
    Listener& server = serve();
    do_not_compare(server);  // the pool is the process's
    return server;
  }
  // The first cycle's view of one target beside a good one, which must not suffer.
  scrape::TargetSnapshot seen_of(const std::string& url, scrape::Job job = {},
                                 scrape::CollectorSettings settings = short_cycles(milliseconds(1000))) {
    settings.schedule.second_try = Duration::zero();
    const auto target = target_at(url, std::move(job));
    Scraper scraper(settings, {target, target_at(raw(response(exposition)))});
    scrape::TargetSnapshot seen;
    for (const scrape::TargetSnapshot& one : scraper.run(1)[0]->targets) {
      if (one.target == target) {
        seen = one;
      } else {
        EXPECT_EQ(one.state, TargetState::fresh) << one.report.reason;
      }
    }
    return seen;
  }
  std::string raw(std::string_view bytes, std::string_view arguments = "") { return serve_any().raw(bytes, arguments); }
};

TEST_F(ScrapeTroubleTest, a_target_that_hangs_fails_alone) {
  const auto seen = seen_of(serve_any().scenario("hold"));
  EXPECT_EQ(seen.state, TargetState::missing);
  EXPECT_TRUE(seen.report.outcome == Outcome::no_answer_yet || seen.report.outcome == Outcome::timed_out);
  EXPECT_FALSE(seen.report.reason.empty());
}

TEST_F(ScrapeTroubleTest, a_target_that_answers_500_fails_alone_and_its_connection_lives) {
  const Listener& server = serve_any();
  Scraper scraper(short_cycles(), {target_at(server.scenario("ok", "status=500&size=2000"))});
  const auto snapshots = scraper.run(3);
  EXPECT_EQ(snapshots[1]->targets[0].report.outcome, Outcome::refused);
  EXPECT_NE(snapshots[1]->targets[0].report.reason.find("500"), std::string::npos);
  EXPECT_TRUE(snapshots[1]->targets[0].report.second_try);
  EXPECT_EQ(server.log().accepts, 1);
}

TEST_F(ScrapeTroubleTest, a_target_that_sends_garbage_fails_alone_and_says_where) {
  const auto seen = seen_of(raw(response("jobs 3\njobs{ 4\n")));
  EXPECT_EQ(seen.report.outcome, Outcome::malformed);
  EXPECT_NE(seen.report.reason.find("line 2"), std::string::npos) << seen.report.reason;
  EXPECT_FALSE(seen.samples);
}

TEST_F(ScrapeTroubleTest, a_target_that_does_not_speak_http_fails_alone) {
  const auto seen = seen_of(raw("SSH-2.0-OpenSSH_9.2\r\n", "close=1"));
  EXPECT_EQ(seen.state, TargetState::missing);
  EXPECT_EQ(seen.report.outcome, Outcome::malformed);
}

TEST_F(ScrapeTroubleTest, a_login_page_is_no_metrics) {
  const auto seen = seen_of(raw("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"));
  EXPECT_EQ(seen.report.outcome, Outcome::not_metrics);
  EXPECT_NE(seen.report.reason.find("text/html"), std::string::npos);
}

TEST_F(ScrapeTroubleTest, a_body_without_end_is_left_soon) {
  scrape::CollectorSettings settings = short_cycles(slowed(1000, 4000));
  settings.limits.body_bytes = 100'000;
  const std::string sound = "text=jobs%20%31%0A";
  const auto seen = seen_of(serve_any().scenario("big", "size=4000000000&coding=chunked&" + sound), {}, settings);
  EXPECT_EQ(seen.state, TargetState::missing);
  EXPECT_EQ(seen.report.outcome, Outcome::too_large) << seen.report.reason;
  EXPECT_LT(seen.report.bytes, 400'000U);
}

TEST_F(ScrapeTroubleTest, a_body_beyond_the_limit_fails_alone_and_names_the_limit) {
  std::string body;
  for (int i = 0; i < 20; ++i) body += "jobs{queue=\"" + std::to_string(i) + "\"} 1\n";
  scrape::CollectorSettings settings = short_cycles(milliseconds(1000));
  settings.limits.body_bytes = 200;
  const auto seen = seen_of(raw(response(body)), {}, settings);
  EXPECT_EQ(seen.report.outcome, Outcome::too_large);
  EXPECT_NE(seen.report.reason.find("200"), std::string::npos) << seen.report.reason;
}

TEST_F(ScrapeTroubleTest, half_a_body_does_not_count) {
  const auto http = seen_of(raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\njobs 3\n", "close=1"));
  EXPECT_EQ(http.report.outcome, Outcome::truncated);
  const auto openmetrics =
      seen_of(raw("HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text; version=1.0.0\r\n"
                  "Content-Length: 7\r\n\r\njobs 3\n"));
  EXPECT_EQ(openmetrics.report.outcome, Outcome::truncated);
  EXPECT_FALSE(openmetrics.samples);
}

TEST_F(ScrapeTroubleTest, a_compressed_body_counts_by_what_it_holds) {
  const auto seen = seen_of(raw(response(gzipped(exposition), "Content-Encoding: gzip\r\n")));
  EXPECT_EQ(seen.state, TargetState::fresh) << seen.report.reason;
  EXPECT_EQ(seen.report.bytes, exposition.size());
  EXPECT_EQ(seen.samples->find("jobs", "queue", "a"), 3);
}

TEST_F(ScrapeTroubleTest, nobody_is_asked_when_the_token_cannot_be_read) {
  scrape::Job job;
  job.bearer_token_file = "there/is/no/such/file";
  const Listener& server = serve_any();
  const auto seen = seen_of(server.url("/metrics"), job);
  EXPECT_EQ(seen.report.outcome, Outcome::misconfigured);
  EXPECT_NE(seen.report.reason.find("no/such/file"), std::string::npos);
  EXPECT_TRUE(server.log().requests.empty());
}

TEST_F(ScrapeTroubleTest, a_refused_connection_fails_alone_with_its_address) {
  const Listener& dead = serve({.scenario = "bound"});  // which refuses until it is told otherwise
  do_not_compare(dead);
  Scraper scraper(short_cycles(), {target_at(dead.url())});
  const auto seen = scraper.run(1)[0]->targets[0];
  EXPECT_EQ(seen.report.outcome, Outcome::unreachable);
  EXPECT_TRUE(seen.report.second_try);
  EXPECT_EQ(connection_text(seen.report), "-");
}

TEST_F(ScrapeTroubleTest, a_late_answer_counts_in_the_next_cycle_with_its_true_age) {
  const Listener& server = serve_any();
  scrape::CollectorSettings settings = short_cycles(slowed(1500, 3000));
  settings.schedule.budget = settings.schedule.second_try = Duration::zero();
  const auto target = target_at(server.raw(response(exposition), "hold=10"));
  // Asked in the middle of its cycle: its timeout is as long as the cycle, so it ends well behind the cut-off.
  const auto middle = [&] { return offset_of(target->hash, settings.schedule); };
  while (middle() < settings.schedule.interval * 4 / 10 || middle() > settings.schedule.interval * 6 / 10) {
    ++settings.schedule.seed;
  }
  Scraper scraper(settings, {target});
  scraper.start();
  ASSERT_TRUE(scraper.has_cycles(1));
  server.release(1);
  ASSERT_TRUE(scraper.has_cycles(2));
  scraper.collector().stop();
  const auto first = scraper.snapshots()[0]->targets[0];
  EXPECT_EQ(first.state, TargetState::missing);
  EXPECT_EQ(first.report.outcome, Outcome::no_answer_yet);
  const auto second = scraper.snapshots()[1]->targets[0];
  EXPECT_EQ(second.state, TargetState::late);
  EXPECT_EQ(second.samples->find("jobs", "queue", "a"), 3);
  EXPECT_GT(second.age, settings.schedule.interval / 2);
  EXPECT_LE(second.age, settings.schedule.interval);
  EXPECT_EQ(scraper.collector().counters().late, 1U);
  server.release();
}

}  // namespace
}  // namespace trunkline::test
