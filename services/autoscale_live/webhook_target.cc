#include "services/autoscale_live/webhook_target.h"

#include <mutex>
#include <utility>

#include <trunkline/client.hpp>
#include <trunkline/policy.hpp>

#include "base/sha256.h"
#include "services/autoscale_files/policy_file.h"
#include "services/config/print.h"
#include "services/config/reader.h"
#include "services/config/writer.h"

namespace trunkline::autoscale {
namespace {

constexpr std::size_t most_answer_bytes = 64 * 1024;

Error not_understood(std::string_view why) {
  return {ErrorCode::invalid_response, Phase::body,
          "the webhook's answer does not say how many replicas there are: " + std::string(why)};
}

Result<int> replicas_of(const Result<Response>& answer) {
  if (!answer) return answer.error();
  if (answer->status != 200) return not_understood("status " + std::to_string(answer->status));
  return read_replicas(answer->body);
}

}  // namespace

Result<int> read_replicas(std::string_view body) {
  const Result<config::Node> node = config::parse_json(body, "answer", {.bytes = most_answer_bytes, .depth = 8});
  if (!node) return not_understood(node.error().message);
  const config::Node* value = &*node;
  if (node->kind == config::Node::Kind::map) {
    value = node->find("replicas");
    if (!value) value = node->find("current");
  }
  if (!value || value->kind != config::Node::Kind::scalar) return not_understood("expected {\"replicas\": N}");
  config::Node holder{.kind = config::Node::Kind::map};
  holder.children.push_back(*value);
  holder.children.back().key = "replicas";
  config::Problems problems("answer");
  config::Reader io(holder, problems);
  int replicas = 0;
  io.integer("replicas", replicas, 0, replicas_limit);
  if (problems.any()) return not_understood(problems.error().message);
  return replicas;
}

std::string print_order(const Decision& decision) {
  config::Node node;
  config::Writer io(node);
  io.text("policy", decision.policy);
  io.time("at", decision.at);
  io.integer("current", decision.current);
  io.integer("desired", decision.desired);
  io.text("action", std::string(to_string(decision.action)));
  io.text("reason", decision.reason);
  config::Node& victims = io.add("victims");
  victims.kind = config::Node::Kind::list;
  for (const Victim& victim : decision.victims) {
    victims.children.push_back({.kind = config::Node::Kind::scalar, .quoted = true, .text = victim.pod});
  }
  return config::print_json(node);
}

struct WebhookTarget::Shared {
  explicit Shared(WebhookSettings given)
      : settings(std::move(given)), client(with_retries(Transport::shared(Options::executor()))) {}

  Request prepare(Request request) const {
    request.total_timeout(settings.timeout).body_limit(most_answer_bytes).header("Accept", "application/json");
    if (!settings.token.empty()) request.header("Authorization", "Bearer " + settings.token);
    return request;
  }

  const WebhookSettings settings;
  const Client client;

  std::mutex mutex;  // what follows
  std::optional<int> replicas;
  TimePoint known_at{};
  TimePoint ask_at = TimePoint::min();
  bool asking = false;
  bool telling = false;
  std::uint64_t generation = 0;           // of what was told: an answer from before says nothing
  std::optional<std::string> to_be_told;  // the newest order, while another is under way
  int to_be_told_replicas = 0;
  std::string ask_trouble;
  std::string tell_trouble;
  std::uint64_t failures = 0;
};

WebhookTarget::WebhookTarget(WebhookSettings settings) : shared_(std::make_shared<Shared>(std::move(settings))) {}
WebhookTarget::~WebhookTarget() = default;

void WebhookTarget::ask(const std::shared_ptr<Shared>& shared) {
  const std::uint64_t generation = shared->generation;
  shared->asking = true;
  shared->client.start(shared->prepare(get(shared->settings.url)),
                       [shared, generation](const Result<Response>& answer) {
                         const Result<int> replicas = replicas_of(answer);
                         const std::lock_guard lock(shared->mutex);
                         shared->asking = false;
                         if (shared->generation != generation || shared->telling) return;
                         shared->ask_trouble = replicas ? "" : replicas.error().message;
                         if (!replicas) return;
                         shared->replicas = *replicas;
                         shared->known_at = Clock::now();
                       });
}

void WebhookTarget::tell(const std::shared_ptr<Shared>& shared, const std::string& body) {
  ++shared->generation;
  shared->telling = true;
  Request request = shared->prepare(post(shared->settings.url, body));
  // The same order may come twice; it says the same, and the key says that it is the same.
  request.header("Content-Type", "application/json").header("Idempotency-Key", hex(sha256(body)).substr(0, 32));
  const int replicas = shared->to_be_told_replicas;
  shared->client.start(std::move(request), [shared, replicas](const Result<Response>& answer) {
    const std::lock_guard lock(shared->mutex);
    shared->telling = false;
    const bool good = answer && answer->status / 100 == 2;
    if (good) {
      shared->tell_trouble.clear();
      shared->replicas = replicas;  // until it says otherwise
      shared->known_at = Clock::now();
      shared->ask_at = shared->known_at + shared->settings.refresh;
    } else {
      ++shared->failures;
      shared->tell_trouble = "the webhook did not take the order: " +
                             (answer ? "status " + std::to_string(answer->status) : answer.error().message);
    }
    if (shared->to_be_told) tell(shared, *std::exchange(shared->to_be_told, std::nullopt));
  });
}

TargetView WebhookTarget::observe(TimePoint now) {
  Shared& shared = *shared_;
  const std::lock_guard lock(shared.mutex);
  if (!shared.asking && !shared.telling && now >= shared.ask_at) {
    shared.ask_at = now + shared.settings.refresh;
    ask(shared_);
  }
  TargetView view{.replicas = shared.replicas, .job = shared.settings.job, .apply_failures = shared.failures};
  // What nobody has confirmed for so long is no ground to stand on.
  if (now - shared.known_at > 6 * shared.settings.refresh + shared.settings.timeout) view.replicas.reset();
  view.trouble = !shared.tell_trouble.empty() ? shared.tell_trouble : shared.ask_trouble;
  if (!view.replicas && view.trouble.empty()) view.trouble = "the webhook has not said yet how many replicas there are";
  return view;
}

void WebhookTarget::apply(const Decision& decision) {
  if (decision.desired == decision.current) return;
  const std::lock_guard lock(shared_->mutex);
  shared_->to_be_told_replicas = decision.desired;
  if (shared_->telling) {
    shared_->to_be_told = print_order(decision);
  } else {
    tell(shared_, print_order(decision));
  }
}

}  // namespace trunkline::autoscale
