// Blocks that repeat others in part, as literals and out of HPACK's table, must come out as they were sent, whatever
// was known of them before.
#include "http2/held_field.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "http2/server_kit.h"
#include "http2/session_kit.h"

namespace trunkline::http2 {
namespace {

using Fields = Encoder::Fields;

// Walks from block to block: each is the one before with a little changed.
class Changing {
 public:
  explicit Changing(Fields first) : fields(std::move(first)) {}

  Fields fields;

  std::size_t below(std::size_t end) { return random_() % end; }
  // Of the fields from `begin` on.
  void change(std::size_t begin) {
    static const Fields others{
        {"date", "now"},        {"date", "own"},    {"server", "s"}, {"x", ""},
        {"y", "long"},          {"te", "trailers"}, {"z-name", "1"}, {"etag", std::string(100, 'e')},
        {"accept-charset", "0"}};  // as long as "content-length"
    if (begin > fields.size()) return;
    const std::size_t at = begin + below(fields.size() - begin + 1);
    const auto place = fields.begin() + static_cast<std::ptrdiff_t>(at);
    switch (below(6)) {
      case 0:
        if (fields.size() < 12) fields.insert(place, others[below(others.size())]);
        break;
      case 1:
        if (at < fields.size()) fields.erase(place);
        break;
      case 2:
        if (at + 1 < fields.size()) std::swap(fields[at], fields[at + 1]);
        break;
      case 3:
        if (at < fields.size()) fields[at] = others[below(others.size())];
        break;
      default:  // as it was
        break;
    }
  }
  Fields with(Fields front) const {
    front.insert(front.end(), fields.begin(), fields.end());
    return front;
  }

 private:
  std::mt19937 random_{1};  // the same walk each time
};

Fields as_fields(const Headers& headers) {
  Fields out;
  for (const auto field : headers) out.emplace_back(field.name, field.value);
  return out;
}

TEST(Http2HeldField, responses_that_repeat_in_part_come_out_as_they_were_sent) {
  Client client;
  Changing changing({{"server", "s"}, {"date", "now"}, {"x", "y"}});
  for (int i = 0; i < 3000; ++i) {
    const std::string status = changing.below(8) == 0 ? "404" : "200";
    const bool has_length = changing.below(2) == 0;
    Fields sent = changing.with({{":status", status}});
    if (has_length)
      sent.insert(sent.begin() + 1 + static_cast<int>(changing.below(sent.size())), {"content-length", "0"});
    Exchange& get = client.get();
    if (changing.below(16) == 0) client.hears(client.hpack.headers(get.id(), {{":status", "103"}, {"x", "y"}}));
    client.hears(client.hpack.headers(get.id(), sent, end_stream));
    sent.erase(sent.begin());
    ASSERT_EQ(as_fields(get.fields), sent) << i;
    ASSERT_NE(get.story.find("response " + status + (has_length ? " of 0" : "") + " without body; end"),
              std::string::npos)
        << get.story;
    changing.change(0);
    client.exchanges.clear();
  }
}

TEST(Http2HeldField, a_second_length_is_refused_where_both_are_known) {
  Client client;
  const Fields one{{":status", "200"}, {"content-length", "0"}, {"x", "y"}};
  const Fields two{{":status", "200"}, {"content-length", "0"}, {"content-length", "0"}};
  for (int i = 0; i < 6; ++i) {
    const Exchange& good = client.get();
    client.hears(client.hpack.headers(good.id(), one, end_stream));
    EXPECT_EQ(good.ended.by, StreamEnd::complete);
    const Exchange& bad = client.get();
    client.hears(client.hpack.headers(bad.id(), two, end_stream));
    client.sends();
    EXPECT_EQ(bad.ended.by, StreamEnd::malformed);
  }
}

TEST(Http2HeldField, trailers_are_not_taken_for_fields) {
  Client client;
  for (int i = 0; i < 6; ++i) {
    const Exchange& get = client.get();
    client.hears(client.hpack.headers(get.id(), {{":status", "200"}, {"x", "y"}}));
    client.hears(client.hpack.headers(get.id(), {{"x", "y"}, {"z", "1"}}, end_stream));
    EXPECT_EQ(as_fields(get.fields), (Fields{{"x", "y"}, {"z", "1"}}));
    EXPECT_EQ(get.story, "response 200; trailers; end; closed complete NO_ERROR");
  }
}

TEST(Http2HeldField, requests_that_repeat_in_part_come_out_as_they_were_sent) {
  Server server;
  Changing changing({{"accept", "*/*"}, {"x", "y"}});
  std::int32_t id = 1;
  for (int i = 0; i < 3000; ++i, id += 2) {
    const std::string method = changing.below(6) == 0 ? "DELETE" : "GET";
    const std::string path = changing.below(6) == 0 ? "/index.html" : "/";  // both in HPACK's own table
    const std::string authority = changing.below(6) == 0 ? "b.test" : "a.test";
    Fields pseudo{{":method", method}, {":scheme", "http"}, {":authority", authority}, {":path", path}};
    if (changing.below(4) == 0) std::swap(pseudo[changing.below(4)], pseudo[changing.below(4)]);
    Fields fields = changing.fields;
    const bool has_host = changing.below(4) == 0;
    if (has_host)
      fields.insert(fields.begin() + static_cast<int>(changing.below(fields.size() + 1)), {"host", authority});
    Fields all = pseudo;
    all.insert(all.end(), fields.begin(), fields.end());
    ASSERT_TRUE(server.hears(server.hpack.headers(id, all, end_stream)));
    ASSERT_EQ(server.order.size(), 1U) << i;
    const ServedRequest& got = server.last().request;
    ASSERT_EQ(got.method + " " + got.authority + got.path, method + " " + authority + path) << i;
    ASSERT_EQ(as_fields(got.headers), fields) << i;
    server.answer(server.last());
    server.order.clear();
    changing.change(0);
  }
}

// A block of pseudo-header fields in another order, or fewer of them, leaves nothing behind that a later one could be
// taken for.
TEST(Http2HeldField, pseudo_fields_of_an_older_block_are_forgotten) {
  Server server;
  auto request = [&server, id = -1](const Fields& fields) mutable -> std::string {
    id += 2;
    server.order.clear();
    server.hears(server.hpack.headers(id, fields, end_stream));
    if (server.order.empty()) {
      server.sends();
      return "refused";
    }
    const ServedRequest& got = server.last().request;
    std::string out = got.method + " " + got.scheme + " " + got.authority + " " + got.path;
    server.answer(server.last());
    return out;
  };
  const Fields usual{{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a.test"}};
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(request(usual), "GET http a.test /");
    EXPECT_EQ(request({{":path", "/index.html"}}), "refused");
    EXPECT_EQ(request(usual), "GET http a.test /");
    EXPECT_EQ(request({{":method", "GET"}, {":method", "GET"}}), "refused");
    EXPECT_EQ(request({{":scheme", "https"}, {":method", "PUT"}, {":path", "/"}, {":authority", "b.test"}}),
              "PUT https b.test /");
    EXPECT_EQ(request(usual), "GET http a.test /");
    EXPECT_EQ(request({{":method", "GET"}, {"x", "y"}, {":scheme", "http"}, {":path", "/"}}), "refused");
  }
}

}  // namespace
}  // namespace trunkline::http2
