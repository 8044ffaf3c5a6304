#include "services/scrape/target_file.h"

#include <yaml-cpp/yaml.h>

#include <boost/json.hpp>

#include <optional>
#include <string>

#include "base/text.h"

namespace trunkline::scrape {
namespace {

constexpr std::size_t most_targets = 100'000;
// Of all targets, each with its copy of what its group says.
constexpr std::size_t most_label_bytes = 256 * 1024 * 1024;

Error bad(const std::string& why) {
  return {ErrorCode::invalid_options, Phase::prepare, "the list of targets cannot be used: " + why};
}
std::string group_name(std::size_t group) { return "group " + std::to_string(group + 1); }

class Reader {
 public:
  explicit Reader(const std::shared_ptr<const Job>& job) : job_(job) {}

  // False once something is wrong.
  bool add(std::size_t group, std::string_view address, const Labels& labels) {
    if (targets_.size() == most_targets) return fail(group, "there are more than 100,000 targets");
    for (const auto& [name, value] : labels) label_bytes_ += name.size() + value.size();
    if (label_bytes_ > most_label_bytes) return fail(group, "all targets' labels together are larger than 256 MiB");
    Result<TargetPtr> target = make_target(job_, address, labels);
    if (!target) return fail(group, target.error().message);
    targets_.push_back(std::move(*target));
    return true;
  }
  bool fail(std::size_t group, const std::string& why) {
    if (!error_) error_ = bad(group_name(group) + ": " + why);
    return false;
  }
  Result<std::vector<TargetPtr>> take() {
    if (error_) return *error_;
    return std::move(targets_);
  }

 private:
  const std::shared_ptr<const Job>& job_;
  std::vector<TargetPtr> targets_;
  std::size_t label_bytes_ = 0;
  std::optional<Error> error_;
};

bool read_json_group(Reader& reader, std::size_t number, const boost::json::value& group) {
  const boost::json::object* fields = group.if_object();
  if (fields == nullptr) return reader.fail(number, "it is no object");
  Labels labels;
  if (const boost::json::value* given = fields->if_contains("labels")) {
    const boost::json::object* all = given->if_object();
    if (all == nullptr) return reader.fail(number, "its labels are no object");
    for (const auto& [name, value] : *all) {
      const boost::json::string* text = value.if_string();
      if (text == nullptr) return reader.fail(number, "the label " + printable(name) + " is no string");
      labels.emplace_back(name, *text);
    }
  }
  const boost::json::value* given = fields->if_contains("targets");
  const boost::json::array* targets = given == nullptr ? nullptr : given->if_array();
  if (targets == nullptr) return reader.fail(number, "it has no list named targets");
  for (const boost::json::value& target : *targets) {
    const boost::json::string* text = target.if_string();
    if (text == nullptr) return reader.fail(number, "a target is no string");
    if (!reader.add(number, *text, labels)) return false;
  }
  return true;
}

Result<std::vector<TargetPtr>> read_json(std::string_view text, const std::shared_ptr<const Job>& job) {
  boost::json::error_code failure;
  const boost::json::value value = boost::json::parse({text.data(), text.size()}, failure);
  if (failure) return bad("it is no valid JSON: " + failure.message());
  const boost::json::array* groups = value.if_array();
  if (groups == nullptr) return bad("it is no list of groups");
  Reader reader(job);
  for (std::size_t number = 0; number < groups->size(); ++number) {
    if (!read_json_group(reader, number, (*groups)[number])) break;
  }
  return reader.take();
}

bool read_yaml_group(Reader& reader, std::size_t number, const YAML::Node& group) {
  if (!group.IsMap()) return reader.fail(number, "it is no map");
  Labels labels;
  if (const YAML::Node given = group["labels"]; given && !given.IsNull()) {
    if (!given.IsMap()) return reader.fail(number, "its labels are no map");
    for (const auto& label : given) {
      if (!label.second.IsScalar())
        return reader.fail(number, "the label " + printable(label.first.Scalar()) + " is no string");
      labels.emplace_back(label.first.Scalar(), label.second.Scalar());
    }
  }
  const YAML::Node targets = group["targets"];
  if (!targets || !targets.IsSequence()) return reader.fail(number, "it has no list named targets");
  for (const YAML::Node& target : targets) {
    if (!target.IsScalar()) return reader.fail(number, "a target is no string");
    if (!reader.add(number, target.Scalar(), labels)) return false;
  }
  return true;
}

Result<std::vector<TargetPtr>> read_yaml(const std::string& text, const std::shared_ptr<const Job>& job) {
  try {
    const YAML::Node groups = YAML::Load(text);
    if (!groups.IsSequence()) return bad("it is no list of groups");
    Reader reader(job);
    for (std::size_t number = 0; number < groups.size(); ++number) {
      if (!read_yaml_group(reader, number, groups[number])) break;
    }
    return reader.take();
  } catch (const YAML::Exception& failure) {
    return bad("it is no valid YAML: " + std::string(failure.what()));
  }
}

}  // namespace

Result<FileFormat> file_format(std::string_view path) {
  if (path.ends_with(".json")) return FileFormat::json;
  if (path.ends_with(".yml") || path.ends_with(".yaml")) return FileFormat::yaml;
  return bad("the file " + printable(path) + " ends neither in .json nor in .yml or .yaml");
}

Result<std::vector<TargetPtr>> parse_targets(std::string_view text, FileFormat format,
                                             const std::shared_ptr<const Job>& job) {
  return format == FileFormat::json ? read_json(text, job) : read_yaml(std::string(text), job);
}

}  // namespace trunkline::scrape
