// docs/API.md against what is served: every field of an example is there, and every field that is there is in the
// example.
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <trunkline/client.hpp>

#include "server/server.h"
#include "services/config/document.h"
#include "services/console/console.h"
#include "services/console/test_sources.h"

namespace trunkline::console {
namespace {

struct Section {
  std::string method;
  std::string path;
  std::string example;
};

// Each heading "## GET /path" with the JSON behind it.
std::vector<Section> sections() {
  std::ifstream file("docs/API.md");
  EXPECT_TRUE(file) << "docs/API.md cannot be read from here";
  std::vector<Section> all;
  bool in_example = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("## ")) {
      std::istringstream words(line.substr(3));
      words >> all.emplace_back().method >> all.back().path;
    } else if (line == "```json") {
      in_example = true;
    } else if (line == "```") {
      in_example = false;
    } else if (in_example) {
      all.back().example += line + "\n";
    }
  }
  return all;
}

// "routes[].dials_by_reason.first", and "pods[]" for a list that has elements.
void collect(const config::Node& node, const std::string& place, std::set<std::string>& fields) {
  if (!place.empty()) fields.insert(place);
  for (const config::Node& child : node.children) {
    const bool is_map = node.kind == config::Node::Kind::map;
    collect(child, is_map ? (place.empty() ? child.key : place + "." + child.key) : place + "[]", fields);
  }
}

std::set<std::string> fields_of(const std::string& text, const std::string& what) {
  const auto node = config::parse_json(text, what);
  EXPECT_TRUE(node) << node.error().message;
  std::set<std::string> fields;
  if (node) collect(*node, "", fields);
  return fields;
}

std::string list(const std::set<std::string>& all, const std::set<std::string>& without) {
  std::string names;
  for (const std::string& name : all) {
    if (!without.contains(name)) names += " " + name;
  }
  return names;
}

std::string with_names(std::string path) {
  const std::pair<std::string, std::string> names[] = {{"{name}", "chat"},
                                                       {"{route}", "http%3A%2F%2F127.0.0.1%3A9100"},
                                                       {"{key}", "0a1b2c3d"},
                                                       {"{a}", "0a1b2c3d"},
                                                       {"{b}", "4d5e6f70"}};
  for (const auto& [brace, name] : names) {
    if (const std::size_t at = path.find(brace); at != std::string::npos) path.replace(at, brace.size(), name);
  }
  return path;
}

TEST(ApiDocument, names_every_field_that_is_served_and_no_other) {
  TestSources sources;
  server::Router router;
  const auto console = add_console(router, sources.all(), {.look_every = Duration(0)});
  for (int i = 0; i < 3; ++i) {
    sources.fleet.decide(1'700'000'000 + 15 * i, 60);
    console->look({WallTime(std::chrono::seconds(1'700'000'000 + 15 * i)), Clock::now()});
  }
  auto started =
      server::Server::start({.listen = {{.address = "127.0.0.1:0"}}, .loops = 1}, std::move(router).handler().value());
  ASSERT_TRUE(started) << started.error().message;
  const std::string root = "http://" + (*started)->addresses().front();
  const Client client;
  const std::string policy = client.get(root + "/api/v1/fleets/chat/policy").value().body;

  std::size_t compared = 0;
  for (const Section& section : sections()) {
    if (section.example.empty()) continue;
    const std::string path = root + with_names(section.path);
    const auto response = section.method == "GET" ? client.get(path) : client.post(path, policy);
    ASSERT_TRUE(response) << response.error().message;
    ASSERT_EQ(response->status, 200) << section.path << ": " << response->body;
    const std::set<std::string> written = fields_of(section.example, section.path);
    const std::set<std::string> served = fields_of(response->body, section.path);
    EXPECT_EQ(list(served, written), "") << section.path << ": served, and not in docs/API.md";
    EXPECT_EQ(list(written, served), "") << section.path << ": in docs/API.md, and not served";
    ++compared;
  }
  EXPECT_GE(compared, 12U);
  console->stop();
}

}  // namespace
}  // namespace trunkline::console
