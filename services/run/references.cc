#include "services/run/references.h"

#include <cstdlib>
#include <fstream>
#include <set>
#include <string_view>

#include "base/text.h"
#include "services/run/place.h"

namespace trunkline::run {
namespace {

using config::Node;

constexpr std::size_t most_secret_bytes = 64 * 1024;

struct Found {
  std::size_t at = std::string::npos;
  std::size_t end = 0;  // behind the "}"
  bool literal = false;
  bool is_file = false;
  std::string name;
};

// The next reference in `text` from `from` on.
Found find_reference(std::string_view text, std::size_t from) {
  Found found;
  for (std::size_t at = text.find("${", from); at != std::string_view::npos; at = text.find("${", at + 2)) {
    const std::string_view rest = text.substr(at + 2);
    const bool is_file = rest.starts_with("file:");
    if (!is_file && !rest.starts_with("env:")) continue;
    const std::size_t begin = at + 2 + (is_file ? 5 : 4);
    const std::size_t close = text.find('}', begin);
    found.literal = at > from && text[at - 1] == '$';
    found.at = at - (found.literal ? 1 : 0);
    found.end = close == std::string_view::npos ? text.size() : close + 1;
    found.is_file = is_file;
    found.name = text.substr(begin, close == std::string_view::npos ? std::string_view::npos : close - begin);
    if (close == std::string_view::npos) found.name.clear();
    return found;
  }
  return found;
}

class Resolver {
 public:
  Resolver(const Surroundings& surroundings, config::Problems& problems)
      : surroundings_(surroundings), problems_(problems) {}

  void visit(Node& node, const std::string& field) {
    if (node.kind == Node::Kind::scalar) resolve(node, field);
    for (std::size_t i = 0; i < node.children.size(); ++i) {
      visit(node.children[i], field_of(node, i, field));
    }
  }
  std::vector<Reference> take() { return std::move(references_); }

 private:
  void resolve(Node& node, const std::string& field) {
    const std::string written = node.text;
    std::string value;
    std::size_t done = 0;
    bool whole = false;
    bool any = false;
    for (Found found = find_reference(written, 0); found.at != std::string::npos;
         found = find_reference(written, done)) {
      value.append(written, done, found.at - done);
      if (found.literal) {
        value.append(written, found.at + 1, found.end - found.at - 1);
      } else {
        const std::optional<std::string> one = look_up(found, node, field);
        if (!one) return;
        value += *one;
        any = true;
        whole = found.at == 0 && found.end == written.size();
      }
      done = found.end;
    }
    if (done == 0) return;
    value.append(written, done);
    node.text = value;
    if (!any) return;
    node.secret = true;
    // So that a number may come from elsewhere too.
    if (whole) node.quoted = false;
    references_.push_back({field, written, std::move(value)});
  }

  std::optional<std::string> look_up(const Found& found, const Node& node, const std::string& field) {
    const auto refuse = [&](const std::string& why) {
      problems_.add(node.place, field, why);
      return std::nullopt;
    };
    if (found.name.empty()) return refuse("expected ${env:NAME} or ${file:PATH}, with a name and a closing brace");
    if (!found.is_file) {
      std::optional<std::string> value = surroundings_.environment(found.name);
      if (!value) return refuse("the environment has no variable " + printable(found.name));
      return value;
    }
    Result<std::string> text = surroundings_.file(found.name);
    if (!text) return refuse(text.error().message);
    if (text->ends_with('\n')) text->pop_back();
    if (text->ends_with('\r')) text->pop_back();
    return std::move(*text);
  }

  const Surroundings& surroundings_;
  config::Problems& problems_;
  std::vector<Reference> references_;
};

class Restorer {
 public:
  explicit Restorer(const std::vector<Reference>& references) : references_(references) {}

  void by_field(Node& node, const std::string& field) {
    for (const Reference& one : references_) {
      if (node.kind != Node::Kind::scalar || one.field != field) continue;
      write(node, one);
      restored_.insert(one.field);
    }
    for (std::size_t i = 0; i < node.children.size(); ++i) by_field(node.children[i], field_of(node, i, field));
  }
  void by_value(Node& node) {
    for (const Reference& one : references_) {
      const bool is_it = node.kind == Node::Kind::scalar && node.text == one.value && !one.value.empty();
      if (is_it && !restored_.contains(one.field)) write(node, one);
    }
    for (Node& child : node.children) by_value(child);
  }

 private:
  static void write(Node& node, const Reference& reference) {
    node.text = reference.written;
    node.quoted = true;
  }

  const std::vector<Reference>& references_;
  std::set<std::string> restored_;
};

}  // namespace

Surroundings surroundings(const std::string& folder) {
  Surroundings out;
  out.environment = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value ? std::optional<std::string>(value) : std::nullopt;
  };
  out.file = [folder](const std::string& path) -> Result<std::string> {
    const std::string place = from_folder(folder, path);
    std::ifstream in(place, std::ios::binary);
    std::string text(most_secret_bytes + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (in.bad() || !in.is_open() || (in.gcount() == 0 && !in.eof())) {
      return Error(ErrorCode::invalid_options, Phase::prepare, "the file " + printable(place) + " cannot be read");
    }
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() <= most_secret_bytes) return text;
    return Error(ErrorCode::invalid_options, Phase::prepare,
                 "the file " + printable(place) + " is larger than " + print_size(most_secret_bytes));
  };
  return out;
}

std::vector<Reference> resolve_references(Node& document, const Surroundings& surroundings,
                                          config::Problems& problems) {
  Resolver resolver(surroundings, problems);
  resolver.visit(document, "");
  return resolver.take();
}

void restore_references(Node& document, const std::vector<Reference>& references) {
  Restorer restorer(references);
  restorer.by_field(document, "");
  restorer.by_value(document);
}

}  // namespace trunkline::run
