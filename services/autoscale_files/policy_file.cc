#include "services/autoscale_files/policy_file.h"

#include <chrono>

#include "services/autoscale_files/hpa_manifest.h"
#include "services/autoscale_files/kthena_manifest.h"
#include "services/autoscale_files/moment.h"
#include "services/autoscale_files/native_fields.h"
#include "services/config/print.h"

namespace trunkline::autoscale {
namespace {

using config::Node;

// What every form of a policy may say beside its rules.
template <class Io>
void common_fields(Io& io, Policy& policy) {
  io.optional_object("pause", policy.pause, [](auto& in, Pause& pause) {
    in.boolean("up", pause.up);
    in.boolean("down", pause.down);
    moment_field(in, "until", pause.until);
    in.text("owner", pause.owner);
  });
  io.boolean("dryRun", policy.dry_run);
}

void metadata_fields(config::Reader& io, Policy& policy) {
  io.ignore("apiVersion");
  io.ignore("kind");
  io.ignore("metadata");
  const Node* metadata = io.node().find("metadata");
  const Node* name = metadata ? metadata->find("name") : nullptr;
  if (name) policy.name = name->text;
}

void compat_field(config::Reader& io, std::string_view expected) {
  std::string compat(expected);
  io.text("compat", compat);
  io.require(compat == expected, "compat", "this document is of the form " + std::string(expected));
}

std::string text_of(const Node& map, std::string_view name) {
  const Node* node = map.find(name);
  return node ? node->text : "";
}

bool refers_to(const Node& binding, const Node& policy) {
  const Node* spec = binding.find("spec");
  const Node* reference = spec ? spec->find("policyRef") : nullptr;
  const Node* metadata = policy.find("metadata");
  return reference && metadata && !text_of(*reference, "name").empty() &&
         text_of(*reference, "name") == text_of(*metadata, "name");
}

Policy read_native(const Node& document, config::Problems& problems) {
  Policy policy;
  config::Reader io(document, problems);
  io.text("name", policy.name);
  compat_field(io, "native");
  common_fields(io, policy);
  native_fields(io, policy.rules.emplace<NativePolicy>());
  io.finish();
  return policy;
}

Policy read_hpa(const Node& document, config::Problems& problems) {
  Policy policy;
  config::Reader io(document, problems);
  metadata_fields(io, policy);
  compat_field(io, "hpa");
  common_fields(io, policy);
  const std::string version = text_of(document, "apiVersion");
  io.require(version.empty() || version == "autoscaling/v2", "apiVersion",
             "expected autoscaling/v2; older forms spell metrics differently");
  hpa_fields(io, policy.rules.emplace<HpaPolicy>());
  io.finish();
  return policy;
}

Policy read_kthena(const Node& document, const Node* binding, config::Problems& problems) {
  Policy policy;
  config::Reader io(document, problems);
  metadata_fields(io, policy);
  compat_field(io, "kthena");
  common_fields(io, policy);
  kthena_fields(io, policy.rules.emplace<KthenaPolicy>(), binding, problems);
  io.finish();
  return policy;
}

void read_kthena_with_bindings(const Node& document, const std::vector<const Node*>& all, std::vector<Policy>& out,
                               config::Problems& problems) {
  const std::size_t before = out.size();
  for (const Node* other : all) {
    if (text_of(*other, "kind") != "AutoscalingPolicyBinding" || !refers_to(*other, document)) continue;
    out.push_back(read_kthena(document, other, problems));
  }
  if (out.size() == before) out.push_back(read_kthena(document, nullptr, problems));
}

void collect(const Node& document, std::vector<const Node*>& out) {
  const Node* items = document.find("items");
  if (!items || !text_of(document, "kind").ends_with("List")) {
    out.push_back(&document);
    return;
  }
  for (const Node& item : items->children) out.push_back(&item);
}

void read_one(const Node& document, const std::vector<const Node*>& all, std::vector<Policy>& out,
              config::Problems& problems) {
  config::Reader root(document, problems);
  if (!root.is_map()) return;
  const std::string kind = text_of(document, "kind");
  if (kind == "HorizontalPodAutoscaler") {
    out.push_back(read_hpa(document, problems));
  } else if (kind == "AutoscalingPolicy") {
    read_kthena_with_bindings(document, all, out, problems);
  } else if (kind == "AutoscalingPolicyBinding") {
    bool found = false;
    for (const Node* other : all)
      found |= text_of(*other, "kind") == "AutoscalingPolicy" && refers_to(document, *other);
    root.require(found, "spec", "the AutoscalingPolicy that policyRef names is not in this file");
  } else if (kind.empty()) {
    out.push_back(read_native(document, problems));
  } else {
    root.require(false, "kind",
                 "expected HorizontalPodAutoscaler, AutoscalingPolicy or AutoscalingPolicyBinding, or no kind at all "
                 "for the native form; trunkline autoscale import reads ScaledObject");
  }
}

}  // namespace

std::vector<const Node*> objects_of(const std::vector<Node>& documents) {
  std::vector<const Node*> all;
  for (const Node& document : documents) collect(document, all);
  return all;
}

std::optional<Policy> read_policy(const Node& node, config::Problems& problems) {
  std::vector<Policy> policies;
  read_one(node, {&node}, policies, problems);
  if (policies.empty()) return std::nullopt;
  return std::move(policies.front());
}

Result<std::vector<Policy>> policies_of(const std::vector<Node>& documents, std::string_view file) {
  config::Problems problems{std::string(file)};
  const std::vector<const Node*> all = objects_of(documents);
  std::vector<Policy> policies;
  for (const Node* document : all) read_one(*document, all, policies, problems);
  if (problems.any()) return problems.error();
  if (policies.empty()) return config::error_at(file, {}, "holds no policy");
  for (Policy& policy : policies) {
    if (policy.name.empty()) policy.name = compat_of(policy);
  }
  return policies;
}

Result<std::vector<Policy>> read_policies(std::string_view text, std::string_view file) {
  const Result<std::vector<Node>> documents = config::parse_documents(text, file);
  if (!documents) return documents.error();
  return policies_of(*documents, file);
}

std::string_view compat_of(const Policy& policy) {
  switch (policy.rules.index()) {
    case 0:
      return "native";
    case 1:
      return "hpa";
    default:
      return "kthena";
  }
}

Node policy_node(const Policy& policy) {
  Policy copy = policy;
  Node root;
  config::Writer io(root);
  if (auto* native = std::get_if<NativePolicy>(&copy.rules)) {
    io.text("name", copy.name);
    io.word("compat", "native");
    common_fields(io, copy);
    native_fields(io, *native);
    return root;
  }
  auto* hpa = std::get_if<HpaPolicy>(&copy.rules);
  io.word("apiVersion", hpa ? "autoscaling/v2" : "workload.serving.volcano.sh/v1alpha1");
  io.word("kind", hpa ? "HorizontalPodAutoscaler" : "AutoscalingPolicy");
  io.object("metadata", [&](config::Writer& in) { in.text("name", copy.name); });
  common_fields(io, copy);
  if (hpa) {
    hpa_fields(io, *hpa);
  } else {
    kthena_fields(io, std::get<KthenaPolicy>(copy.rules));
  }
  return root;
}

std::string print_policy(const Policy& policy) { return config::print_yaml(policy_node(policy)); }

}  // namespace trunkline::autoscale
