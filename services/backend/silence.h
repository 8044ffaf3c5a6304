// When the metrics page is silent. Pure: the clock is a parameter; whoever asks from several threads holds a lock.
#pragma once

#include <algorithm>
#include <optional>

#include "base/clock.h"
#include "services/backend/settings.h"

namespace trunkline::backend {

class Silence {
 public:
  struct Now {
    SilenceKind kind = SilenceKind::hang;
    TimePoint until{};
  };

  Silence(const Settings& settings, TimePoint started)
      : kind_(settings.silence),
        begins_(started + settings.silent_after),
        ends_(begins_ + std::min(settings.silent_for, longest_silence)) {}

  // From now on, instead of what was agreed before; zero ends a silence.
  void fall(SilenceKind kind, Duration how_long, TimePoint now) {
    kind_ = kind;
    begins_ = now;
    ends_ = now + std::min(how_long, longest_silence);
  }

  // Nothing: it speaks.
  std::optional<Now> at(TimePoint now) const {
    if (now < begins_ || now >= ends_) return std::nullopt;
    return Now{kind_, ends_};
  }

 private:
  SilenceKind kind_;
  TimePoint begins_;
  TimePoint ends_;
};

}  // namespace trunkline::backend
