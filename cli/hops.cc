#include "hops.h"

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <utility>

#include "verbose.h"

namespace trunkline::cli {
namespace {

const ResponseHead& head_of(const Result<Response>& reply) { return *reply; }
const ResponseHead& head_of(const Result<ResponseStream>& reply) { return reply->head(); }

template <class Reply>
void note(const HopRules& rules, HopNotes& notes, const Result<Reply>& reply) {
  if (!reply) return;
  notes.head = head_of(reply);
  if (!rules.verbose) return;
  say(rules.prefix, describe_connection(notes.head->connection) + describe_response(*notes.head, rules.secrecy));
}

}  // namespace

Hops::Hops(HopRules rules, Transports& transports, std::shared_ptr<const Recorder> recorder,
           std::shared_ptr<HopNotes> notes, bool left_origin)
    : rules_(std::move(rules)),
      transports_(transports),
      recorder_(std::move(recorder)),
      notes_(std::move(notes)),
      left_origin_(left_origin) {}

std::shared_ptr<Transport> Hops::depart(const Request& request) {
  notes_->method = request.method();
  notes_->url = request.url();
  notes_->began = std::chrono::steady_clock::now();
  notes_->first_event = recorder_->size();
  notes_->head.reset();
  std::shared_ptr<Transport> transport = transports_.take(request.url(), left_origin_, rules_.total);
  notes_->transports.push_back(transport);
  if (rules_.verbose) say(rules_.prefix, describe_request(request, transports_.options(), rules_.secrecy));
  return transport;
}

Result<ResponseStream> Hops::open(Request&& request) {
  Result<ResponseStream> reply = depart(request)->open(std::move(request));
  note(rules_, *notes_, reply);
  return reply;
}

Result<Response> Hops::send(Request&& request) {
  Result<Response> reply = depart(request)->send(std::move(request));
  note(rules_, *notes_, reply);
  return reply;
}

CallHandle Hops::start(Request&& request, Callback<void(Result<Response>)>&& done) {
  const std::shared_ptr<Transport> transport = depart(request);
  return transport->start(std::move(request),
                          [rules = rules_, notes = notes_, done = std::move(done)](Result<Response> reply) mutable {
                            note(rules, *notes, reply);
                            done(std::move(reply));
                          });
}

CallHandle Hops::start_open(Request&& request, Callback<void(Result<ResponseStream>)>&& done) {
  const std::shared_ptr<Transport> transport = depart(request);
  return transport->start_open(std::move(request), [rules = rules_, notes = notes_,
                                                    done = std::move(done)](Result<ResponseStream> reply) mutable {
    note(rules, *notes, reply);
    done(std::move(reply));
  });
}

std::shared_ptr<RoundTripper> Hops::elsewhere() {
  return std::make_shared<Hops>(rules_, transports_, recorder_, notes_, true);
}

void say(const std::string& prefix, const std::string& lines) {
  std::string out;
  std::string_view rest = lines;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    out += prefix;
    out += line;
    out += '\n';
  }
  std::fputs(out.c_str(), stderr);
}

}  // namespace trunkline::cli
