#include "services/config/document.h"

#include <gtest/gtest.h>

#include "services/config/print.h"

namespace trunkline::config {
namespace {

std::string failure(std::string_view text, std::string_view name = "f.yaml", const Limits& limits = {}) {
  const auto documents = parse_documents(text, name, limits);
  return documents ? "no error" : documents.error().message;
}

TEST(Document, knows_the_line_and_column_of_every_value) {
  const auto documents = parse_documents("a: 1\nb:\n  - x\n  - {c: \"2\"}\n", "f.yaml");
  ASSERT_TRUE(documents);
  const Node& root = documents->front();
  EXPECT_EQ(root.find("a")->place, (Place{1, 4}));
  EXPECT_EQ(root.find("b")->key_place, (Place{2, 1}));
  const Node& c = *root.find("b")->children[1].find("c");
  EXPECT_EQ(c.place, (Place{4, 9}));
  EXPECT_TRUE(c.quoted);
  EXPECT_FALSE(root.find("a")->quoted);
}

TEST(Document, reads_json_with_places_and_tabs) {
  const auto documents = parse_documents("{\n\t\"a\": [1, true, null, \"\\u00e9\\ud83d\\ude00\"]\n}", "f.json");
  ASSERT_TRUE(documents) << documents.error().message;
  const Node& list = *documents->front().find("a");
  EXPECT_EQ(list.place, (Place{2, 7}));
  EXPECT_EQ(list.children[3].text, "\u00e9\U0001F600");
  EXPECT_EQ(list.children[2].kind, Node::Kind::null);
}

TEST(Document, gives_every_document_of_a_file_and_leaves_out_empty_ones) {
  const auto documents = parse_documents("---\na: 1\n---\n---\nb: 2\n", "f.yaml");
  ASSERT_TRUE(documents);
  EXPECT_EQ(documents->size(), 2u);
}

TEST(Document, stops_a_billion_laughs) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 9; ++j) text += before + ", ";
    text += before + "]\n";
  }
  EXPECT_NE(failure(text).find("more than 200000 values"), std::string::npos) << failure(text);
}

TEST(Document, stops_few_aliases_of_much_text) {
  const std::string much(512 << 10, 'x');
  const std::string message = failure("a: &x \"" + much + "\"\nb: [*x, *x, *x]\n");
  EXPECT_EQ(message, "f.yaml:2:9: the document's aliases stand for more than 1MiB of text");
  std::string keys = "a: &x {";
  for (int i = 0; i < 500; ++i) keys += "k" + std::to_string(i) + std::string(1000, 'y') + ": 1, ";
  EXPECT_NE(failure(keys + "}\nb: [*x, *x, *x]\n").find("of text"), std::string::npos);
  EXPECT_EQ(failure("a: &x some text\nb: [*x, *x, *x]\n"), "no error");
}

TEST(Document, names_the_place_of_what_it_refuses) {
  const struct {
    std::string_view text;
    std::string_view message;
  } cases[] = {
      {"a: 1\na: 2\n", "f.yaml:2:1: \"a\" is given twice"},
      {"a: &x [*x]\n", "f.yaml:1:8: this alias stands for something that contains it"},
      {"a: !thing 1\n", "f.yaml:1:4: the tag !thing is not known here; leave it out"},
      {"? [a]\n: 1\n", "f.yaml:1:3: a key must be plain text, not a list or a mapping"},
  };
  for (const auto& one : cases) EXPECT_EQ(failure(one.text), one.message);
  EXPECT_EQ(failure("a:\n\tb: 1\n"), "f.yaml:2:3: is not YAML: a tab stands in the indentation: YAML wants spaces");
  EXPECT_TRUE(failure("a: [1\n").starts_with("f.yaml:2:1: is not YAML: ")) << failure("a: [1\n");
}

TEST(Document, bounds_depth_and_size) {
  const std::string deep = std::string(65, '[') + std::string(65, ']');
  EXPECT_NE(failure(deep).find("deeper than 64"), std::string::npos) << failure(deep);
  EXPECT_NE(failure(deep, "f.json").find("f.json:1:65: is nested deeper"), std::string::npos);
  EXPECT_NE(failure("a: 12345", "f.yaml", {.bytes = 4}).find("larger than"), std::string::npos);
  const std::string very_deep = std::string(100'000, '[');
  EXPECT_NE(failure(very_deep), "no error");
}

TEST(Json, refuses_what_rfc_8259_does_not_know) {
  for (const std::string_view text :
       {"",         "{",         "[1,]",  "{\"a\":1,}", "01",     "1.",      "1e",
        "+1",       ".5",        "nul",   "'a'",        "\"\t\"", "\"\\x\"", "\"\\ud800\"",
        "\"\xff\"", "{\"a\" 1}", "{a:1}", "1 2",        "\"",     "-",       "{\"a\":1,\"a\":2}",
        "\"\\u12\""}) {
    EXPECT_FALSE(parse_json(text, "x")) << text;
  }
  for (const std::string_view text : {"0", "-0.5e+3", "\"\\/\"", " [ ] ", "{}", "false"}) {
    EXPECT_TRUE(parse_json(text, "x")) << text;
  }
}

TEST(Json, counts_lines_from_the_one_it_is_told) {
  const auto node = parse_json("{\"a\": x}", "in.jsonl", {}, 7);
  ASSERT_FALSE(node);
  EXPECT_EQ(node.error().message, "in.jsonl:7:7: expected a JSON value here");
}

TEST(Print, reads_back_as_the_same) {
  const std::string_view texts[] = {
      "a: 1\nb: [x, [y, z], {c: d, e: []}, []]\nf: {}\ng: \"1\"\nh: \"true\"\ni: \"\"\nj: 15s\nk: ~\n",
      "- - - 1\n    - 2\n- a: {b: {c: 1}}\n  d: e\n",
      "\"on\": \"a\\nb: #c\"\n\" x\": '- y'\n\"1\": -5\n\"\": \"\\u0001\"\n",
      "plain text with: no",
      "x: plain text\ny: -z\nw: '*a'\n",
  };
  for (const std::string_view text : texts) {
    const auto first = parse_documents(text, "f");
    if (!first) continue;
    const std::string printed = print_yaml(first->front());
    const auto again = parse_documents(printed, "f");
    ASSERT_TRUE(again) << printed << again.error().message;
    // Text that was plain may come back in quotes; as JSON, which has quotes for all text, both are one.
    EXPECT_EQ(print_json(first->front()), print_json(again->front())) << printed;
    const auto json = parse_json(print_json(first->front()), "f");
    ASSERT_TRUE(json) << print_json(first->front());
    EXPECT_EQ(print_json(*json), print_json(first->front()));
  }
}

}  // namespace
}  // namespace trunkline::config
