#include "services/autoscale_replay/report_text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "base/text.h"

namespace trunkline::autoscale {
namespace {

constexpr int plot_height = 12;

std::string fixed(double value, int decimals) {
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.*f", decimals, value);
  return buffer.data();
}

std::string right(std::string text, std::size_t width) {
  if (text.size() < width) text.insert(0, width - text.size(), ' ');
  return text;
}

std::string left(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

// Hours, minutes and seconds since the start, whatever the recording counts from.
std::string clock_text(Duration since_start) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_start).count();
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%ld:%02ld:%02ld", static_cast<long>(seconds / 3600),
                static_cast<long>(seconds / 60 % 60), static_cast<long>(seconds % 60));
  return buffer.data();
}

// Without its figures: "held by a recommendation of 15s ago" is no news 15 s later.
std::string_view gist(std::string_view reason) { return reason.substr(0, reason.find_first_of("0123456789")); }

bool is_news(const Course& course, std::size_t i) {
  if (i == 0 || i + 1 == course.moments.size()) return true;
  const Moment& now = course.moments[i];
  const Moment& before = course.moments[i - 1];
  return now.action != Action::hold || now.panic != before.panic ||
         (gist(now.reason) != gist(before.reason) && before.action == Action::hold);
}

// The marks of one column, drawn over each other: demand over replicas over capacity.
struct Column {
  double demand = 0;
  double capacity = 0;
  double desired = 0;
};

// The highest of each that falls into a column, so that no spike is lost.
std::vector<Column> columns_of(const Course& course, int width) {
  std::vector<Column> columns(static_cast<std::size_t>(width));
  const std::size_t count = course.moments.size();
  for (std::size_t x = 0; x < columns.size(); ++x) {
    const std::size_t from = x * count / columns.size();
    const std::size_t to = std::max(from + 1, (x + 1) * count / columns.size());
    for (std::size_t i = from; i < std::min(to, count); ++i) {
      const Moment& moment = course.moments[i];
      columns[x].demand = std::max(columns[x].demand, moment.demand);
      columns[x].capacity = std::max(columns[x].capacity, moment.capacity);
      columns[x].desired = std::max(columns[x].desired, static_cast<double>(moment.desired));
    }
  }
  return columns;
}

std::string_view mark(const Column& column, double from, double to) {
  const auto here = [&](double value) { return value > from && value <= to; };
  if (here(column.demand)) return "\u2022";
  if (here(column.desired)) return "\u2500";
  if (column.capacity > from) return "\u2591";
  return " ";
}

struct Cell {
  std::string text;
  double value = 0;
};

std::vector<Cell> cells_of(const Score& score) {
  return {{fixed(score.replica_minutes, 1), score.replica_minutes},
          {fixed(score.seconds_over_target, 0) + " s", score.seconds_over_target},
          {std::to_string(score.changes), static_cast<double>(score.changes)},
          {std::to_string(score.flaps), static_cast<double>(score.flaps)},
          {std::to_string(score.largest_change), static_cast<double>(score.largest_change)},
          {std::to_string(score.peak), static_cast<double>(score.peak)}};
}

}  // namespace

std::string table(const Course& course, bool all_rows) {
  std::string out = "policy " + printable(course.policy) + "\n";
  if (course.moments.empty()) return out + "  nothing was seen\n";
  out += "        time   demand  capacity  current  desired  action  reason\n";
  const TimePoint start = course.moments.front().at;
  for (std::size_t i = 0; i < course.moments.size(); ++i) {
    const Moment& moment = course.moments[i];
    if (!all_rows && !is_news(course, i)) continue;
    out += right(clock_text(moment.at - start), 12) + right(fixed(moment.demand, 2), 9) +
           right(fixed(moment.capacity, 0), 10) + right(std::to_string(moment.current), 9) +
           right(std::to_string(moment.desired), 9) + "  " + left(std::string(to_string(moment.action)), 8) +
           (moment.panic ? "panic: " : "") + printable(moment.reason) + "\n";
  }
  return out;
}

std::string comparison(const std::vector<Course>& courses) {
  static constexpr std::array<std::string_view, 6> titles = {"replica-min", "over target", "changes",
                                                             "flaps",       "largest",     "peak"};
  std::size_t widest = 6;
  std::vector<std::vector<Cell>> rows;
  for (const Course& course : courses) {
    rows.push_back(cells_of(score_of(course)));
    widest = std::max(widest, printable(course.policy).size());
  }
  std::string out = left("policy", widest);
  for (const std::string_view title : titles) out += right(std::string(title), 14);
  out += '\n';
  for (std::size_t row = 0; row < rows.size(); ++row) {
    out += left(printable(courses[row].policy), widest);
    for (std::size_t column = 0; column < titles.size(); ++column) {
      const Cell& cell = rows[row][column];
      bool best = courses.size() > 1;
      bool differs = false;
      for (const auto& other : rows) {
        best = best && cell.value <= other[column].value;
        differs = differs || other[column].value > cell.value;
      }
      out += right(cell.text + (best && differs ? "*" : " "), 14);
    }
    out += '\n';
  }
  if (courses.size() > 1) out += "* the least of its column\n";
  return out;
}

std::string plot(const Course& course, int width) {
  if (course.moments.empty()) return "";
  double top = 1;
  for (const Moment& moment : course.moments) {
    top = std::max({top, moment.demand, moment.capacity, static_cast<double>(moment.desired)});
  }
  const double step = std::ceil(top / plot_height * 2) / 2;
  const auto columns = columns_of(course, std::max(20, width - 10));
  std::string out = printable(course.policy) + ": \u2022 demand  \u2500 replicas wanted  \u2591 capacity\n";
  for (int row = plot_height; row > 0; --row) {
    out += right(fixed(row * step, step < 1 ? 1 : 0), 7) + " \u2502";
    for (const Column& column : columns) out += mark(column, (row - 1) * step, row * step);
    out += '\n';
  }
  const Duration length = course.moments.back().at - course.moments.front().at;
  out.append(8, ' ');
  out += "\u2514 0:00:00";
  out += right(clock_text(length), columns.size() - 8);
  out += '\n';
  return out;
}

}  // namespace trunkline::autoscale
