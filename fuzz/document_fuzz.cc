// Whatever a document holds, it is refused with a place or becomes a bounded tree; printed, it reads back as the same.
// A policy that is read prints as a policy that is equal.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "require.h"
#include "services/autoscale_files/import.h"
#include "services/autoscale_files/policy_file.h"
#include "services/config/document.h"
#include "services/config/print.h"

namespace {

using trunkline::config::Node;

constexpr trunkline::config::Limits limits = {.bytes = 1 << 16, .depth = 32, .nodes = 5'000};

std::size_t count(const Node& node, int depth, const std::string& text) {
  require(depth <= limits.depth + 1, "deeper than the limit", text);
  std::size_t sum = 1;
  for (const Node& child : node.children) sum += count(child, depth + 1, text);
  return sum;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 4096) return 0;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto documents = trunkline::config::parse_documents(text, "f", limits);
  if (documents) {
    for (const Node& document : *documents) {
      require(count(document, 0, text) <= limits.nodes, "more nodes than the limit", text);
      const std::string json = trunkline::config::print_json(document);
      const auto again = trunkline::config::parse_json(json, "f", {.bytes = 1 << 20, .depth = 64, .nodes = 100'000});
      if (again) require(trunkline::config::print_json(*again) == json, "JSON changes", json);
    }
  }
  const auto policies = trunkline::autoscale::read_policies(text, "f");
  if (policies) {
    for (const trunkline::autoscale::Policy& policy : *policies) {
      const std::string printed = trunkline::autoscale::print_policy(policy);
      const auto again = trunkline::autoscale::read_policies(printed, "printed");
      require(again.has_value(), "a printed policy does not read", printed);
      require(again->front() == policy, "a policy changes", printed);
    }
  }
  (void)trunkline::autoscale::import_policies(text, "f");
  return 0;
}
