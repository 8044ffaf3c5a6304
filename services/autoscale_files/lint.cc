#include "services/autoscale_files/lint.h"

#include "services/autoscale_files/import.h"
#include "services/autoscale_files/lint_rules.h"
#include "services/autoscale_files/policy_file.h"
#include "services/config/print.h"
#include "services/config/writer.h"

namespace trunkline::autoscale {
namespace {

using config::Node;

std::string text_at(const Node* node, std::string_view field) {
  const Node* child = node ? node->find(field) : nullptr;
  return child ? child->text : "";
}

const Node* at(const Node& node, std::initializer_list<std::string_view> path) {
  const Node* here = &node;
  for (const std::string_view name : path) {
    if (here) here = here->find(name);
  }
  return here;
}

void append(std::vector<Finding>& out, std::vector<Finding> more, std::string_view file) {
  for (Finding& finding : more) {
    finding.file = file;
    out.push_back(std::move(finding));
  }
}

// Where the policy of this name was written.
const Node& document_of(const std::vector<Node>& documents, const std::string& name) {
  for (const Node& document : documents) {
    if (text_at(&document, "name") == name || text_at(document.find("metadata"), "name") == name) return document;
  }
  return documents.front();
}

}  // namespace

std::string print(const Finding& finding) {
  return config::error_at(finding.file, finding.place, finding.code + ": " + finding.why).message +
         "\n    cure: " + finding.cure;
}

std::string print_json(const Finding& finding) {
  Node root;
  config::Writer io(root);
  io.text("file", finding.file);
  io.integer("line", finding.place.line);
  io.integer("column", finding.place.column);
  io.text("code", finding.code);
  io.text("why", finding.why);
  io.text("cure", finding.cure);
  return config::print_json(root);
}

void Linter::look_at_targets(const Node& document, std::string_view file, std::vector<Finding>& out) {
  const Node* reference = at(document, {"spec", "scaleTargetRef"});
  if (!reference) return;
  // KEDA's default kind is a Deployment too.
  const std::string kind = text_at(reference, "kind");
  const std::string space = text_at(document.find("metadata"), "namespace");
  const std::string key = space + ' ' + (kind.empty() ? "Deployment" : kind) + ' ' + text_at(reference, "name");
  const std::string place = std::string(file) + ":" + std::to_string(reference->place.line);
  const auto [known, is_new] = targets_.emplace(key, place);
  if (is_new) return;
  out.push_back(
      {"two-autoscalers", std::string(file), reference->place,
       "the same target is scaled by another autoscaler, at " + known->second + "; each undoes what the other did",
       "put all metrics into one policy; the largest proposal counts"});
}

Result<std::vector<Finding>> Linter::lint(std::string_view text, std::string_view file) {
  const auto documents = config::parse_documents(text, file);
  if (!documents) return documents.error();
  // Read as import does, so that what does not read at all is an error and no finding.
  const auto readable = import_policies(text, file);
  if (!readable) return readable.error();
  std::vector<Finding> out;
  std::vector<Node> policies;
  for (const Node& document : *documents) {
    look_at_targets(document, file, out);
    append(out, lint_document(document), file);
    if (text_at(&document, "kind") != "ScaledObject") policies.push_back(document);
  }
  if (!policies.empty()) {
    const auto read = policies_of(policies, file);
    if (!read) return read.error();
    for (const Policy& policy : *read) {
      append(out, lint_policy(policy, document_of(policies, policy.name), settings_), file);
    }
  }
  return out;
}

}  // namespace trunkline::autoscale
