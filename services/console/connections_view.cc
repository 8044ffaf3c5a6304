#include "services/console/connections_view.h"

#include "services/config/json_writer.h"

namespace trunkline::console {
namespace {

using config::JsonWriter;

// From there on it is no limit that anybody meets: HTTP/2 knows no more streams in all.
constexpr std::uint32_t no_limit = 0x7fffffff;

void write_connection(JsonWriter& json, const ConnectionStats& connection) {
  json.open('{');
  json.key("id").integer(static_cast<std::int64_t>(connection.id));
  json.key("route").text(connection.route);
  json.key("key").text(connection.key);
  json.key("protocol").text(connection.protocol);
  json.key("state").text(to_string(connection.state));
  json.key("age_seconds").seconds(connection.age);
  json.key("idle_seconds").seconds(connection.idle_for);
  json.key("requests").integer(static_cast<std::int64_t>(connection.requests));
  json.key("streams").integer(connection.streams);
  json.key("streams_allowed");
  if (connection.streams_allowed < no_limit) {
    json.integer(connection.streams_allowed);
  } else {
    json.null();
  }
  json.key("dial_reason").text(to_string(connection.dial_reason));
  json.key("remote").text(connection.remote);
  json.key("local").text(connection.local);
  json.key("tls").text(connection.tls);
  json.key("proxy").text(connection.proxy);
  json.close('}');
}

}  // namespace

std::string differences_json(const std::vector<OptionChange>& changes) {
  JsonWriter json;
  json.open('[');
  for (const OptionChange& change : changes) {
    json.open('{');
    json.key("option").text(change.option);
    json.key("a").text(change.a);
    json.key("b").text(change.b);
    json.close('}');
  }
  json.close(']');
  return json.take();
}

std::string connections_json(const ConnectionList& list, double t) {
  JsonWriter json;
  json.open('{');
  json.key("t").measured(t);
  json.key("connections").open('[');
  for (const ConnectionStats& connection : list.connections) write_connection(json, connection);
  json.close(']');
  json.key("left_out").integer(static_cast<std::int64_t>(list.left_out));
  json.close('}');
  return json.take();
}

}  // namespace trunkline::console
