// Reads the fields of a mapping into a struct. Every mistake is collected with its place, the field's full name, what
// was expected and, for a misspelt name, the nearest one that exists; a field that nobody asked for is a mistake as
// well. Writer (writer.h) has the same functions, so that one description of a struct both reads and prints it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "services/config/document.h"

namespace trunkline::config {

// A value of an enumeration and its name in documents.
template <class E>
struct Named {
  std::string_view name;
  E value;
};

struct Range {
  double least = std::numeric_limits<double>::lowest();
  double most = std::numeric_limits<double>::max();
  bool above_least = false;  // `least` itself is not allowed
};
inline constexpr Range positive = {.least = 0, .above_least = true};
inline constexpr Range not_negative = {.least = 0};
inline constexpr Range part_of_one = {.least = 0, .most = 1};
// What a peer may really have sent, NaN and infinities among it.
inline constexpr Range anything = {.least = -std::numeric_limits<double>::infinity(),
                                   .most = std::numeric_limits<double>::infinity()};
inline constexpr std::chrono::seconds longest_time = std::chrono::hours(24 * 366);

struct Problem {
  Place place;
  std::string field;
  std::string sentence;
};

class Problems {
 public:
  explicit Problems(std::string file) : file_(std::move(file)) {}

  void add(Place place, std::string field, std::string sentence);
  bool any() const { return count_ > 0; }
  const std::vector<Problem>& list() const { return list_; }
  Error error() const;  // a line each

 private:
  static constexpr std::size_t most_kept = 10;
  std::string file_;
  std::vector<Problem> list_;
  std::size_t count_ = 0;
};

class Reader {
 public:
  static constexpr bool reading = true;

  Reader(const Node& node, Problems& problems) : Reader(node, problems, nullptr, {}, 0) {}

  // As take(): a field that says nothing is not there.
  bool has(std::string_view name) const {
    const Node* node = node_.find(name);
    return node && node->kind != Node::Kind::null;
  }
  const Node& node() const { return node_; }

  void text(std::string_view name, std::string& out);
  void texts(std::string_view name, std::vector<std::string>& out, std::size_t most = 100'000);
  void texts_by_name(std::string_view name, std::map<std::string, std::string>& out, std::size_t most = 1000);
  void boolean(std::string_view name, bool& out);
  void boolean(std::string_view name, std::optional<bool>& out);
  void integer(std::string_view name, int& out, int least, int most);
  void integer(std::string_view name, std::optional<int>& out, int least, int most);
  void number(std::string_view name, double& out, Range range = {});
  void quantity(std::string_view name, double& out, Range range = {});                              // "250m" too
  void size(std::string_view name, std::uint64_t& bytes, std::uint64_t least, std::uint64_t most);  // "64MiB", "64Mi"
  void measured(std::string_view name, double& out);  // what a peer sent: any number, NaN, +Inf, or a quantity
  // add(name, value) for each such number of a mapping, whatever the names; what says nothing is left out.
  template <class F>
  void measured_by_name(std::string_view name, F add) {
    const Node* node = take(name);
    if (!node || !is(*node, Node::Kind::map, name)) return;
    Reader members(*node, problems_, this, name, 0);
    for (const Node& child : node->children) {
      double value = 0;
      if (child.kind != Node::Kind::null && members.measured(child, child.key, value)) add(child.key, value);
    }
  }
  void seconds(std::string_view name, std::chrono::seconds& out);                  // "15s", whole seconds
  void whole_seconds(std::string_view name, std::chrono::seconds& out, int most);  // 15, as ...Seconds of Kubernetes
  void span(std::string_view name, std::chrono::nanoseconds& out, std::chrono::nanoseconds least,
            std::chrono::nanoseconds most = longest_time);              // "500ms", "1.5s"
  void duration(std::string_view name, std::chrono::nanoseconds& out);  // decimal seconds
  void time(std::string_view name, TimePoint& out);                     // decimal seconds
  void time(std::string_view name, std::optional<TimePoint>& out);

  template <class E, std::size_t N>
  void choice(std::string_view name, E& out, const Named<E> (&names)[N]) {
    const Node* node = take(name);
    if (!node) return;
    std::vector<std::string> known;
    for (const Named<E>& one : names) {
      if (node->kind == Node::Kind::scalar && node->text == one.name) {
        out = one.value;
        return;
      }
      known.emplace_back(one.name);
    }
    not_one_of(*node, name, known);
  }

  // read(Reader&) is called when the mapping is there.
  template <class F>
  void object(std::string_view name, F read) {
    if (const Node* node = take(name)) read_object(*node, name, 0, read);
  }
  template <class T, class F>
  void optional_object(std::string_view name, std::optional<T>& out, F read) {
    const Node* node = take(name);
    if (!node) return;
    out.emplace();
    read_object(*node, name, 0, [&](Reader& in) { read(in, *out); });
  }
  // read(Reader&, T&) for each mapping of a list, which replaces what was there.
  template <class T, class F>
  void list(std::string_view name, std::vector<T>& out, F read, std::size_t most = 1'000'000) {
    const Node* node = take_list(name, most);
    if (!node) return;
    out.clear();
    out.reserve(node->children.size());
    for (const Node& child : node->children) {
      T& item = out.emplace_back();
      read_object(child, name, static_cast<int>(out.size()), [&](Reader& in) { read(in, item); });
    }
  }
  // read(Reader&, T&) for each member, whatever its name.
  template <class T, class F>
  void map(std::string_view name, std::map<std::string, T>& out, F read) {
    const Node* node = take(name);
    if (!node || !is(*node, Node::Kind::map, name)) return;
    out.clear();
    Reader members(*node, problems_, this, name, 0);
    for (const Node& child : node->children) {
      members.read_object(child, child.key, 0, [&](Reader& in) { read(in, out[child.key]); });
    }
  }
  void numbers(std::string_view name, std::vector<double>& out);
  void times(std::string_view name, std::vector<TimePoint>& out);

  void ignore(std::string_view name) { take(name); }
  void ignore_others() { takes_all_ = true; }
  void require(bool holds, std::string_view name, std::string_view sentence);
  void problem(const Node& node, std::string_view name, std::string sentence);

  // Marks the field as known and gives its node; null when it is not there or says nothing.
  const Node* take(std::string_view name);
  const Node* take_list(std::string_view name, std::size_t most);
  // Complains about what nobody took. Called by object() and list(); by hand for the root.
  void finish();
  bool is_map();  // complains when not

  template <class F>
  void read_object(const Node& node, std::string_view name, int index, F read) {
    Reader in(node, problems_, this, name, index);
    if (!in.is_map()) return;
    read(in);
    in.finish();
  }

 private:
  Reader(const Node& node, Problems& problems, const Reader* parent, std::string_view name, int index)
      : node_(node), problems_(problems), parent_(parent), name_(name), index_(index) {}

  std::string path() const;
  std::string path_of(std::string_view field) const;
  bool is(const Node& node, Node::Kind kind, std::string_view name);
  bool measured(const Node& node, std::string_view name, double& out);
  void wrong(const Node& node, std::string_view name, std::string_view expected);
  void not_one_of(const Node& node, std::string_view name, const std::vector<std::string>& known);
  void check(const Node& node, std::string_view name, double value, Range range, double& out);

  const Node& node_;
  Problems& problems_;
  const Reader* parent_;
  std::string_view name_;
  int index_;  // in a list, from 1; 0: not in one
  std::vector<std::string_view> asked_;
  bool takes_all_ = false;
};

}  // namespace trunkline::config
