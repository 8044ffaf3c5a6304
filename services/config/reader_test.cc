#include "services/config/reader.h"

#include <gtest/gtest.h>

#include "services/config/number.h"
#include "services/config/print.h"
#include "services/config/writer.h"

namespace trunkline::config {
namespace {

enum class Colour : unsigned char { red, green };
constexpr Named<Colour> colours[] = {{"red", Colour::red}, {"green", Colour::green}};

struct Thing {
  std::vector<std::string> words = {};
  std::map<std::string, std::string> labels = {};
  std::chrono::nanoseconds pause{0};
  std::string name = "none";
  int size = 1;
  double share = 0.5;
  double bytes = 0;
  std::chrono::seconds period{15};
  Colour colour = Colour::red;
  bool on = false;
  std::optional<int> limit = {};
  std::vector<Thing> parts = {};
  TimePoint at{};
};

template <class Io>
void describe_thing(Io& io, Thing& thing) {
  io.text("name", thing.name);
  io.texts("words", thing.words, 3);
  io.texts_by_name("labels", thing.labels);
  io.span("pause", thing.pause, std::chrono::milliseconds(100), std::chrono::seconds(2));
  io.integer("size", thing.size, 1, 10);
  io.number("share", thing.share, part_of_one);
  io.quantity("bytes", thing.bytes, not_negative);
  io.seconds("period", thing.period);
  io.choice("colour", thing.colour, colours);
  io.boolean("on", thing.on);
  io.integer("limit", thing.limit, 0, 5);
  io.time("at", thing.at);
  io.list("parts", thing.parts, [](auto& in, Thing& part) { describe_thing(in, part); });
}

std::string problems_of(std::string_view text, Thing* out = nullptr) {
  Thing thing;
  const auto documents = parse_documents(text, "f.yaml");
  if (!documents) return documents.error().message;
  Problems problems("f.yaml");
  Reader in(documents->front(), problems);
  if (in.is_map()) {
    describe_thing(in, thing);
    in.finish();
  }
  if (out) *out = thing;
  return problems.any() ? problems.error().message : "";
}

TEST(Reader, names_place_field_expectation_and_nearest_name) {
  const struct {
    std::string_view text;
    std::string_view message;
  } cases[] = {
      {"sise: 2", "f.yaml:1:1: sise: there is no such field, did you mean \"size\"?"},
      {"parts:\n- colour: gren",
       "f.yaml:2:11: parts[0].colour: expected one of red green; got \"gren\", did you mean \"green\"?"},
      {"size: 11", "f.yaml:1:7: size: expected a whole number from 1 to 10, got \"11\""},
      {"size: \"3\"", "f.yaml:1:7: size: expected a whole number from 1 to 10, got the text \"3\""},
      {"share: 1.5", "f.yaml:1:8: share: expected a number from 0 to 1, got \"1.5\""},
      {"share: .nan", "f.yaml:1:8: share: expected a number from 0 to 1, got \".nan\""},
      {"bytes: 1Xi", "f.yaml:1:8: bytes: expected a quantity such as 20, 0.5, 250m or 1Gi, at least 0, got \"1Xi\""},
      {"period: 1500ms",
       "f.yaml:1:9: period: expected whole seconds such as 15s, 5m or 1h, at most 366d, got \"1500ms\""},
      {"on: yes", "f.yaml:1:5: on: expected true or false, got \"yes\""},
      {"parts: {a: 1}", "f.yaml:1:8: parts: expected a list, got a mapping"},
      {"parts: [1]", "f.yaml:1:9: parts[0]: expected a mapping, got \"1\""},
      {"name: [a]", "f.yaml:1:7: name: expected a single value, got a list"},
      {"words: [a, b, c, d]", "f.yaml:1:8: words: holds more than 3 entries"},
      {"words: [a, [b]]", "f.yaml:1:12: words: expected a list of single values, got a list"},
      {"labels: {a: [b]}", "f.yaml:1:13: labels: expected a single value for each name, got a list"},
      {"pause: 50ms", "f.yaml:1:8: pause: expected a time from 100ms to 2s, such as 500ms or 15s, got \"50ms\""},
      {"[1]", "f.yaml:1:1: expected a mapping, got a list"},
  };
  for (const auto& one : cases) EXPECT_EQ(problems_of(one.text), one.message);
}

TEST(Reader, collects_every_mistake_and_keeps_the_first_ten) {
  const std::string message = problems_of("size: 0\nshare: 2\n");
  EXPECT_NE(message.find("1:7: size"), std::string::npos);
  EXPECT_NE(message.find("\nf.yaml:2:8: share"), std::string::npos);
  std::string many;
  for (int i = 0; i < 13; ++i) many += "unknown" + std::to_string(i) + ": 1\n";
  EXPECT_TRUE(problems_of(many).ends_with("\nand 3 more")) << problems_of(many);
}

TEST(Reader, leaves_the_default_where_nothing_is_said) {
  Thing thing;
  EXPECT_EQ(problems_of("size: ~\non: true\nbytes: 1.5Gi\nperiod: 2m\nat: 12.000000001\n", &thing), "");
  EXPECT_EQ(thing.size, 1);
  EXPECT_EQ(thing.bytes, 1.5 * 1024 * 1024 * 1024);
  EXPECT_EQ(thing.period, std::chrono::seconds(120));
  EXPECT_EQ(thing.at.time_since_epoch().count(), 12'000'000'001);
  EXPECT_FALSE(thing.limit);
}

TEST(Reader, shows_no_secret) {
  auto document = parse_documents("size: hush\ncolour: hush\npause: hush\n", "f.yaml");
  ASSERT_TRUE(document);
  for (Node& node : document->front().children) node.secret = true;
  Problems problems("f.yaml");
  Thing thing;
  Reader in(document->front(), problems);
  describe_thing(in, thing);
  EXPECT_EQ(problems.list().size(), 3U);
  EXPECT_EQ(problems.error().message.find("hush"), std::string::npos);
  EXPECT_NE(problems.error().message.find("a value that is not shown"), std::string::npos);
}

TEST(Reader, has_no_field_that_says_nothing) {
  const auto document = parse_documents("a:\nb: ~\nc: \"\"\n", "f.yaml");
  ASSERT_TRUE(document);
  Problems problems("f.yaml");
  const Reader in(document->front(), problems);
  EXPECT_FALSE(in.has("a"));
  EXPECT_FALSE(in.has("b"));
  EXPECT_TRUE(in.has("c"));
  EXPECT_FALSE(in.has("d"));
}

TEST(Writer, writes_what_reads_as_the_same) {
  Thing thing{.name = "1", .size = 7, .share = 0.1, .bytes = 1e30, .period = std::chrono::seconds(90), .on = true};
  thing.colour = Colour::green;
  thing.limit = 0;
  thing.words = {"a", "1", ""};
  thing.labels = {{"yes", "no"}, {"b", "2"}};
  thing.pause = std::chrono::milliseconds(1500);
  thing.at = TimePoint(std::chrono::nanoseconds(-1));
  thing.parts.push_back(thing);
  Node node;
  Writer out(node);
  describe_thing(out, thing);
  for (const std::string& text : {print_yaml(node), print_json(node)}) {
    Thing again;
    EXPECT_EQ(problems_of(text, &again), "") << text;
    Node second;
    Writer out_again(second);
    describe_thing(out_again, again);
    EXPECT_EQ(print_yaml(second), print_yaml(node));
  }
}

TEST(Quantity, reads_as_kubernetes_does) {
  const struct {
    std::string_view text;
    std::optional<double> value;
  } cases[] = {{"100m", 0.1},
               {"250m", 0.25},
               {"1", 1},
               {"1.5", 1.5},
               {"2k", 2000},
               {"1Ki", 1024},
               {"1e3", 1000},
               {"1E3", 1000},
               {"5E", 5e18},
               {"20u", 20e-6},
               {"3n", 3e-9},
               {"-1", -1},
               {"+1", 1},
               {"", std::nullopt},
               {"m", std::nullopt},
               {"1 m", std::nullopt},
               {"1mm", std::nullopt},
               {"1K", std::nullopt},
               {"inf", std::nullopt},
               {"1e999", std::nullopt}};
  for (const auto& one : cases) EXPECT_EQ(read_quantity(one.text), one.value) << one.text;
}

TEST(Seconds, are_exact_to_the_nanosecond) {
  for (const std::int64_t count : {0L, 1L, -1L, 1'764'000'000'123'456'789L, -999'999'999L, 15'000'000'000L}) {
    const std::chrono::nanoseconds value(count);
    EXPECT_EQ(read_seconds(print_seconds(value)), value) << count;
  }
  EXPECT_EQ(read_seconds("1e3"), std::nullopt);
  EXPECT_EQ(read_seconds("99999999999"), std::nullopt);
  EXPECT_EQ(print_seconds(std::chrono::milliseconds(1500)), "1.5");
}

}  // namespace
}  // namespace trunkline::config
