// docs/configuration.md against the code: every field is on the page, nothing else is, and the defaults are equal.
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "services/config/document.h"
#include "services/run/configuration.h"

namespace trunkline::run {
namespace {

// What has a page of its own, or names of the user's choice.
const std::set<std::string> described_elsewhere = {"autoscale.fleets[].policy"};

const std::string everything_named_once = R"(
scrape:
  jobs:
  - {name: a, targets: []}
  - {name: b, dns: {name: h, port: 1}}
autoscale:
  fleets:
  - {policy: {name: a, metrics: [{name: m, target: {perPod: 1}}]}, target: {process: {command: [x], ports: 1-999}}}
  - {policy: {name: b, metrics: [{name: m, target: {perPod: 1}}]}, target: {dry_run: {job: a}}}
  - {policy: {name: c, metrics: [{name: m, target: {perPod: 1}}]}, target: {webhook: {url: "http://h/", job: b}}}
)";

std::map<std::string, std::string> documented() {
  std::ifstream in("docs/configuration.md");
  std::map<std::string, std::string> rows;
  const std::regex row(R"(^\| `([a-zA-Z_.\[\]]+)` \| [^|]+ \| ([^|]+) \|.*)");
  std::smatch match;
  for (std::string line; std::getline(in, line);) {
    if (std::regex_match(line, match, row)) rows[match[1]] = match[2];
  }
  return rows;
}

void flatten(const config::Node& node, const std::string& path, std::map<std::string, std::string>& out) {
  if (described_elsewhere.contains(path)) return;
  if (node.kind == config::Node::Kind::scalar) out[path] = node.text;
  for (const config::Node& child : node.children) {
    const bool in_list = node.kind == config::Node::Kind::list;
    const bool is_scalar = child.kind == config::Node::Kind::scalar;
    flatten(child, in_list ? path + (is_scalar ? "" : "[]") : path.empty() ? child.key : path + '.' + child.key, out);
  }
}

std::map<std::string, std::string> defaults() {
  const std::string printed =
      print_configuration(parse_configuration(everything_named_once, "t.yaml", Surroundings()).value());
  std::map<std::string, std::string> out;
  flatten(config::parse_documents(printed, "printed").value().front(), "", out);
  return out;
}

// A document with this mapping in it, and a field in that which nobody knows.
std::string with_unknown_field(const std::string& mapping) {
  std::string before;
  std::string after;
  std::istringstream parts(mapping);
  for (std::string part; std::getline(parts, part, '.');) {
    const bool is_list = part.ends_with("[]");
    before += '{' + part.substr(0, part.size() - (is_list ? 2 : 0)) + ": " + (is_list ? "[" : "");
    after.insert(0, is_list ? "]}" : "}");
  }
  return before + "{zzzzzzzz: 1}" + after;
}

std::set<std::string> known_in(const std::string& mapping) {
  const auto parsed = parse_configuration(with_unknown_field(mapping), "t.yaml", Surroundings());
  const std::string message = parsed ? "" : parsed.error().message;
  std::smatch match;
  std::set<std::string> names;
  if (!std::regex_search(message, match, std::regex("zzzzzzzz: there is no such field; known here:([^\n]*)"))) {
    ADD_FAILURE() << mapping << ": " << message;
    return names;
  }
  std::istringstream words(match[1]);
  for (std::string word; words >> word;) names.insert(word);
  return names;
}

TEST(ConfigurationPage, has_every_field_and_no_other) {
  std::map<std::string, std::set<std::string>> by_mapping;
  for (const auto& [path, value] : documented()) {
    std::string mapping;
    std::istringstream parts(path);
    for (std::string part; std::getline(parts, part, '.');) {
      by_mapping[mapping].insert(part.ends_with("[]") ? part.substr(0, part.size() - 2) : part);
      mapping += (mapping.empty() ? "" : ".") + part;
    }
  }
  ASSERT_GT(by_mapping.size(), 5U);
  for (const auto& [mapping, names] : by_mapping) EXPECT_EQ(names, known_in(mapping)) << "in \"" << mapping << '"';
}

TEST(ConfigurationPage, has_the_defaults_that_the_code_has) {
  const std::map<std::string, std::string> real = defaults();
  const std::map<std::string, std::string> rows = documented();
  for (const auto& [path, value] : rows) {
    if (value == "required") continue;
    const auto found = real.find(path);
    const bool is_none = found == real.end() || found->second.empty();
    const std::string expected = is_none ? "none" : '`' + found->second + '`';
    EXPECT_EQ(value, expected) << path;
  }
  for (const auto& [path, value] : real) EXPECT_TRUE(rows.contains(path)) << path << " is not on the page";
}

TEST(ConfigurationPage, shows_a_file_that_is_good) {
  std::ifstream in("docs/configuration.md");
  std::stringstream page;
  page << in.rdbuf();
  const std::string text = page.str();
  Surroundings made_up;
  made_up.file = [](const std::string&) -> Result<std::string> { return std::string("secret"); };
  std::size_t count = 0;
  for (std::size_t at = text.find("```yaml\n"); at != std::string::npos; at = text.find("```yaml\n", at + 1)) {
    const std::string example = text.substr(at + 8, text.find("```", at + 8) - at - 8);
    const auto parsed = parse_configuration(example, "t.yaml", made_up);
    EXPECT_TRUE(parsed) << parsed.error().message << '\n' << example;
    ++count;
  }
  EXPECT_GE(count, 1U);
}

}  // namespace
}  // namespace trunkline::run
