// What a URL's text leads to, remembered: programs send to the same URLs again and again.
#include <algorithm>
#include <bit>
#include <cstring>

#include "client/body_decoding.h"
#include "client/engine.h"
#include "client/transport_impl.h"
#include "http1/request_encoder.h"

namespace trunkline {
namespace {

// For a cache: whoever makes texts collide makes them be parsed again, no more.
std::size_t quick_hash(std::string_view text) {
  constexpr std::uint64_t odd = 0x9E3779B97F4A7C15;
  std::uint64_t hash = text.size();
  const auto mix = [&hash](std::uint64_t word) { hash = (std::rotl(hash, 5) ^ word) * odd; };
  std::uint64_t word = 0;
  if (text.size() < sizeof word) return 0;  // no URL that can be used is so short
  for (std::size_t at = 0; at + sizeof word < text.size(); at += sizeof word) {
    std::memcpy(&word, text.data() + at, sizeof word);
    mix(word);
  }
  std::memcpy(&word, text.data() + text.size() - sizeof word, sizeof word);
  mix(word);
  return hash >> 32;
}

}  // namespace

// With mutex_ held. A scraper visits thousands of hosts in turn, and each would find its slot taken; many URLs of few
// hosts, on the other hand, may never come again, and are not worth the memory.
void TransportImpl::make_room_for_targets() {
  constexpr std::size_t least = 1024;
  constexpr std::size_t most = std::size_t{1} << 16;
  const std::size_t wanted = std::clamp(std::bit_ceil(4 * routes_.size()), least, most);
  if (wanted <= targets_.size()) return;
  std::vector<std::shared_ptr<const Target>> before(wanted);
  before.swap(targets_);
  for (std::shared_ptr<const Target>& target : before) {
    if (target) slot_of(quick_hash(target->text)) = std::move(target);
  }
}

Result<std::shared_ptr<const Target>> TransportImpl::target_of(const std::string& url) {
  const std::size_t hash = quick_hash(url);
  {
    std::lock_guard lock(mutex_);
    if (!targets_.empty()) {
      if (const auto& known = slot_of(hash); known && known->text == url) return known;
    }
  }
  Result<Url> parsed = Url::parse(url);
  if (!parsed) return std::move(parsed).error();
  auto target = std::make_shared<Target>();
  target->text = url;
  target->url = std::move(*parsed);
  Result<std::shared_ptr<pool::Route>> route = route_for(target->url, false);
  if (!route) return std::move(route).error();
  target->route = std::move(*route);
  target->websocket = target->url.scheme().starts_with("ws");
  target->may_be_http2 = protocol_for(target->url) != Protocol::http1;
  const auto& destination = static_cast<const Destination&>(*target->route->attachment);
  if (destination.target->proxy && !destination.target->tunnel) {
    target->request_target = "http://" + std::string(target->url.authority());
    target->extra_head = destination.proxy_authorization_line;
  }
  target->request_target += target->url.target();
  if (auto sound = http1::check_target(target->request_target); !sound) return sound.error();
  target->usual_start = http1::usual_start(target->request_target, target->url.authority(), options_.user_agent,
                                           options_.decompress ? accepted_codings : std::string_view());
  std::lock_guard lock(mutex_);
  make_room_for_targets();
  slot_of(hash) = target;
  return std::shared_ptr<const Target>(std::move(target));
}

}  // namespace trunkline
