#include "services/run/references.h"

#include <gtest/gtest.h>

#include "services/config/print.h"

namespace trunkline::run {
namespace {

Surroundings made_up() {
  Surroundings out;
  out.environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "TOKEN") return "hush";
    if (name == "COUNT") return "7";
    if (name == "EMPTY") return "";
    return std::nullopt;
  };
  out.file = [](const std::string& path) -> Result<std::string> {
    if (path == "/run/token") return std::string("quiet\r\n");
    return Error(ErrorCode::invalid_options, Phase::prepare, "the file " + path + " cannot be read");
  };
  return out;
}

struct Outcome {
  config::Node document;
  std::vector<Reference> references;
  std::string problems;
};

Outcome resolved(std::string_view text) {
  config::Problems problems("f.yaml");
  Outcome out;
  out.document = config::parse_documents(text, "f.yaml").value().front();
  out.references = resolve_references(out.document, made_up(), problems);
  if (problems.any()) out.problems = problems.error().message;
  return out;
}

std::string value_of(std::string_view text) { return resolved(text).document.find("a")->text; }

TEST(References, stand_for_variables_and_files) {
  EXPECT_EQ(value_of("a: ${env:TOKEN}"), "hush");
  EXPECT_EQ(value_of("a: ${file:/run/token}"), "quiet");
  EXPECT_EQ(value_of("a: x-${env:TOKEN}-${file:/run/token}-y"), "x-hush-quiet-y");
  EXPECT_EQ(value_of("a: ${env:EMPTY}"), "");
}

TEST(References, are_kept_apart_from_what_others_write_so) {
  EXPECT_EQ(value_of("a: 127.0.0.1:${port}"), "127.0.0.1:${port}");
  EXPECT_EQ(value_of("a: ${port}${env:COUNT}$${env:COUNT}$$"), "${port}7${env:COUNT}$$");
  EXPECT_TRUE(resolved("a: $${env:TOKEN}").references.empty());
  EXPECT_FALSE(resolved("a: $${env:TOKEN}").document.find("a")->secret);
}

TEST(References, may_be_numbers_where_they_are_the_whole_value) {
  const Outcome outcome = resolved("a: \"${env:COUNT}\"");
  EXPECT_FALSE(outcome.document.find("a")->quoted);
  EXPECT_TRUE(outcome.document.find("a")->secret);
}

TEST(References, that_lead_nowhere_are_told_all_at_once_with_their_place) {
  EXPECT_EQ(resolved("a: ${env:NOBODY}\nb:\n- c: ${file:/none}\n- ${env:TOKEN\n").problems,
            "f.yaml:1:4: a: the environment has no variable NOBODY\n"
            "f.yaml:3:6: b[0].c: the file /none cannot be read\n"
            "f.yaml:4:3: b[1]: expected ${env:NAME} or ${file:PATH}, with a name and a closing brace");
}

TEST(References, come_back_when_what_was_read_is_printed) {
  Outcome outcome = resolved("a: [{b: \"${env:TOKEN}\"}, \"7\"]\nc: ${env:COUNT}\n");
  restore_references(outcome.document, outcome.references);
  EXPECT_EQ(config::print_yaml(outcome.document), "a:\n- b: \"${env:TOKEN}\"\n- \"7\"\nc: \"${env:COUNT}\"\n");
}

TEST(References, of_a_field_that_moved_come_back_wherever_their_value_stands) {
  const Outcome outcome = resolved("a: ${env:TOKEN}\n");
  config::Node other = resolved("x: {p: hush, q: hushed}\n").document;
  restore_references(other, outcome.references);
  EXPECT_EQ(config::print_yaml(other), "x:\n  p: \"${env:TOKEN}\"\n  q: hushed\n");
}

}  // namespace
}  // namespace trunkline::run
