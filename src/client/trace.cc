#include <trunkline/trace.hpp>

namespace trunkline {

std::string_view to_string(TraceEvent::Kind kind) {
  switch (kind) {
    case TraceEvent::queued:
      return "queued";
    case TraceEvent::connected:
      return "connected";
    case TraceEvent::sent:
      return "sent";
    case TraceEvent::informational:
      return "informational";
    case TraceEvent::first_byte:
      return "first_byte";
    case TraceEvent::retry:
      return "retry";
    case TraceEvent::redirect:
      return "redirect";
    case TraceEvent::refused:
      return "refused";
    case TraceEvent::done:
      return "done";
  }
  return "?";
}

}  // namespace trunkline
