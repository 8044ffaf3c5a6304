#include "services/autoscale_replay/report_html.h"

#include <algorithm>
#include <string_view>

#include "report_page.h"
#include "services/config/print.h"
#include "services/config/writer.h"

namespace trunkline::autoscale {
namespace {

constexpr std::size_t most_points = 4000;  // of a chart: more than a screen has columns

// Of each group of moments the one with the most demand above capacity is kept, and every change.
std::vector<const Moment*> thinned(const Course& course) {
  std::vector<const Moment*> out;
  const std::size_t group = course.moments.size() / most_points + 1;
  for (std::size_t from = 0; from < course.moments.size(); from += group) {
    const std::size_t to = std::min(from + group, course.moments.size());
    const Moment* worst = &course.moments[from];
    for (std::size_t i = from; i < to; ++i) {
      const Moment& moment = course.moments[i];
      if (moment.demand - moment.capacity > worst->demand - worst->capacity) worst = &moment;
    }
    for (std::size_t i = from; i < to; ++i) {
      const Moment& moment = course.moments[i];
      if (&moment == worst || moment.action != Action::hold) out.push_back(&moment);
    }
  }
  return out;
}

void moment_fields(config::Writer& io, const Moment& moment, TimePoint start) {
  io.duration("t", moment.at - start);
  io.number("demand", moment.demand);
  io.number("capacity", moment.capacity);
  io.integer("current", moment.current);
  io.integer("desired", moment.desired);
  io.boolean("panic", moment.panic);
  io.text("reason", moment.reason);
}

void score_fields(config::Writer& io, const Score& score) {
  io.number("replicaMinutes", score.replica_minutes);
  io.number("secondsOverTarget", score.seconds_over_target);
  io.integer("changes", score.changes);
  io.integer("flaps", score.flaps);
  io.integer("largestChange", score.largest_change);
  io.integer("peak", score.peak);
  io.number("decisions", static_cast<double>(score.decisions));
}

// Inside a script only "<" could end it or begin a comment.
std::string script_safe(const std::string& json) {
  std::string out;
  out.reserve(json.size());
  for (const char c : json) {
    if (c == '<') {
      out += "\\u003c";
    } else {
      out += c;
    }
  }
  return out;
}

std::string html_safe(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace

std::string html_report(const std::string& title, const std::vector<Course>& courses) {
  config::Node root{.kind = config::Node::Kind::list};
  for (const Course& course : courses) {
    config::Writer io(root.children.emplace_back());
    io.text("policy", course.policy);
    io.object("score", [&](config::Writer& in) { score_fields(in, score_of(course)); });
    std::vector<const Moment*> moments = thinned(course);
    const TimePoint start = course.moments.empty() ? TimePoint{} : course.moments.front().at;
    io.list("moments", moments, [&](config::Writer& in, const Moment*& moment) { moment_fields(in, *moment, start); });
  }
  const std::string data = script_safe(config::print_json(root));
  const std::string name = html_safe(title);
  std::string out;
  std::string_view rest = report_page;
  // What is put in is never looked at again, so that no text of a policy can ask for more.
  for (;;) {
    const std::size_t at = std::min(rest.find("@TITLE@"), rest.find("@DATA@"));
    out += rest.substr(0, at);
    if (at == std::string_view::npos) return out;
    const bool is_title = rest.substr(at).starts_with("@TITLE@");
    out += is_title ? name : data;
    rest.remove_prefix(at + (is_title ? 7 : 6));
  }
}

}  // namespace trunkline::autoscale
