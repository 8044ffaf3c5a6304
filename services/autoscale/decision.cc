#include "services/autoscale/decision.h"

namespace trunkline::autoscale {

std::string_view to_string(PodState state) {
  switch (state) {
    case PodState::ready:
      return "ready";
    case PodState::unready:
      return "unready";
    case PodState::starting:
      return "starting";
    case PodState::missing:
      return "missing";
    case PodState::terminating:
      return "terminating";
    case PodState::finished:
      return "finished";
    case PodState::excluded:
      return "excluded";
  }
  return "?";
}

std::string_view to_string(InputState state) {
  switch (state) {
    case InputState::fresh:
      return "fresh";
    case InputState::carried:
      return "carried";
    case InputState::missing:
      return "missing";
    case InputState::starting:
      return "starting";
    case InputState::draining:
      return "draining";
    case InputState::excluded:
      return "excluded";
  }
  return "?";
}

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::proposes:
      return "proposes";
    case Verdict::no_data:
      return "no_data";
    case Verdict::too_few:
      return "too_few";
    case Verdict::vetoes:
      return "vetoes";
    case Verdict::silent:
      return "silent";
  }
  return "?";
}

std::string_view to_string(Action action) {
  switch (action) {
    case Action::hold:
      return "hold";
    case Action::up:
      return "up";
    case Action::down:
      return "down";
  }
  return "?";
}

std::string_view to_string(Truth truth) {
  switch (truth) {
    case Truth::no:
      return "False";
    case Truth::yes:
      return "True";
    case Truth::unknown:
      return "Unknown";
  }
  return "?";
}

}  // namespace trunkline::autoscale
