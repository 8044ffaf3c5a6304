// Makes nodes of a struct's fields: the other half of Reader, with the same functions, so that one description of a
// struct serves both. What is optional and unset is left out; all else is written, defaults too.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "services/config/reader.h"

namespace trunkline::config {

class Writer {
 public:
  static constexpr bool reading = false;

  explicit Writer(Node& node) : node_(node) { node_.kind = Node::Kind::map; }

  void text(std::string_view name, const std::string& value);
  void word(std::string_view name, std::string_view value);  // unquoted: a name that we gave
  void texts(std::string_view name, const std::vector<std::string>& values, std::size_t most = 0);
  void texts_by_name(std::string_view name, const std::map<std::string, std::string>& values, std::size_t most = 0);
  void boolean(std::string_view name, bool value);
  void boolean(std::string_view name, const std::optional<bool>& value);
  void integer(std::string_view name, int value, int least = 0, int most = 0);
  void integer(std::string_view name, const std::optional<int>& value, int least, int most);
  void number(std::string_view name, double value, Range range = {});
  void quantity(std::string_view name, double value, Range range = {}) { number(name, value, range); }
  void size(std::string_view name, std::uint64_t bytes, std::uint64_t least, std::uint64_t most);
  void seconds(std::string_view name, std::chrono::seconds value);
  void whole_seconds(std::string_view name, std::chrono::seconds value, int most);
  void span(std::string_view name, std::chrono::nanoseconds value, std::chrono::nanoseconds least,
            std::chrono::nanoseconds most = longest_time);
  void duration(std::string_view name, std::chrono::nanoseconds value);
  void time(std::string_view name, TimePoint value);
  void time(std::string_view name, const std::optional<TimePoint>& value);
  void numbers(std::string_view name, const std::vector<double>& values);
  void times(std::string_view name, const std::vector<TimePoint>& values);

  template <class E, std::size_t N>
  void choice(std::string_view name, const E& value, const Named<E> (&names)[N]) {
    for (const Named<E>& one : names) {
      if (one.value == value) return word(name, one.name);
    }
  }
  template <class F>
  void object(std::string_view name, F write) {
    Writer out(add(name));
    write(out);
  }
  template <class T, class F>
  void optional_object(std::string_view name, std::optional<T>& value, F write) {
    if (!value) return;
    Writer out(add(name));
    write(out, *value);
  }
  template <class T, class F>
  void list(std::string_view name, std::vector<T>& values, F write, std::size_t /*most*/ = 0) {
    Node& items = add(name);
    items.kind = Node::Kind::list;
    items.children.reserve(values.size());
    for (T& value : values) {
      Writer out(items.children.emplace_back());
      write(out, value);
    }
  }
  template <class T, class F>
  void map(std::string_view name, std::map<std::string, T>& values, F write) {
    Node& members = add(name);
    members.kind = Node::Kind::map;
    for (auto& [key, value] : values) {
      Node& child = members.children.emplace_back();
      child.key = key;
      Writer out(child);
      write(out, value);
    }
  }

  void ignore(std::string_view /*name*/) {}
  void require(bool /*holds*/, std::string_view /*name*/, std::string_view /*sentence*/) {}

  Node& add(std::string_view name);

 private:
  void scalar(std::string_view name, std::string text, bool quoted);

  Node& node_;
};

}  // namespace trunkline::config
