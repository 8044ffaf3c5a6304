#include "autoscale.h"

#include <iostream>
#include <tuple>

#include "autoscale_simulate.h"
#include "base/text.h"
#include "exit_code.h"
#include "fail.h"
#include "output.h"
#include "services/autoscale_files/import.h"
#include "services/autoscale_files/lint.h"
#include "services/autoscale_files/policy_file.h"
#include "services/autoscale_files/whole_file.h"
#include "services/config/reader.h"

namespace trunkline::cli {
namespace {

constexpr std::size_t most_bytes = 16 << 20;

int show(const AutoscaleFlags& flags) {
  Output out = Output::to_stdout();
  for (const std::string& file : flags.files) {
    const auto text = read_whole(file);
    if (!text) return fail("autoscale", text.error());
    const auto policies = autoscale::read_policies(*text, shown_name(file));
    if (!policies) return fail("autoscale", policies.error());
    for (const autoscale::Policy& policy : *policies) out.write("---\n" + autoscale::print_policy(policy));
  }
  return written("autoscale", out, exit_ok);
}

int import(const AutoscaleFlags& flags) {
  Output out = Output::to_stdout();
  for (const std::string& file : flags.files) {
    const auto text = read_whole(file);
    if (!text) return fail("autoscale", text.error());
    const auto imported = autoscale::import_policies(*text, shown_name(file));
    if (!imported) return fail("autoscale", imported.error());
    for (const autoscale::Imported& one : *imported) {
      std::string document = "---\n# From " + printable(shown_name(file)) + ", " + printable(one.from) + ".\n";
      if (!one.notes.empty()) document += "# Not mapped:\n";
      for (const std::string& note : one.notes) {
        document += "#   " + printable(note, 1000) + "\n";
        std::cerr << printable(note, 1000) << "\n";
      }
      out.write(document + autoscale::print_policy(one.policy));
    }
  }
  return written("autoscale", out, exit_ok);
}

int lint(const AutoscaleFlags& flags) {
  autoscale::LintSettings settings;
  autoscale::Duration keep_alive{0};
  for (const auto& [flag, text, field] : {std::tuple("--interval", &flags.interval, &settings.interval),
                                          {"--server-keep-alive", &flags.server_keep_alive, &keep_alive}}) {
    if (text->empty()) continue;
    const auto duration = parse_duration(*text);
    if (!duration) return fail("autoscale", std::string(flag) + ": " + duration.error().message, exit_misuse);
    if (*duration > config::longest_time)
      return fail("autoscale", std::string(flag) + ": is longer than 366 days", exit_misuse);
    *field = *duration;
  }
  if (!flags.server_keep_alive.empty()) settings.server_keep_alive = keep_alive;
  Output out = Output::to_stdout();
  bool found = false;
  autoscale::Linter linter(settings);
  for (const std::string& file : flags.files) {
    const auto text = read_whole(file);
    if (!text) return fail("autoscale", text.error());
    const auto findings = linter.lint(*text, shown_name(file));
    if (!findings) return fail("autoscale", findings.error());
    for (const autoscale::Finding& finding : *findings) {
      out.write((flags.json ? autoscale::print_json(finding) : autoscale::print(finding)) + "\n");
      found = true;
    }
  }
  const int code = written("autoscale", out, exit_ok);
  return code == exit_ok && found ? 1 : code;
}

}  // namespace

std::string shown_name(const std::string& file) { return file == "-" ? "stdin" : file; }

Result<std::string> read_whole(const std::string& file) {
  if (file == "-") {
    std::string text(most_bytes + 1, '\0');
    std::cin.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(std::cin.gcount()));
    if (text.size() <= most_bytes) return text;
    return Error(ErrorCode::invalid_options, Phase::prepare, "stdin: is larger than " + print_size(most_bytes));
  }
  Result<std::optional<std::string>> text = autoscale::read_file(file, most_bytes);
  if (!text) return std::move(text).error();
  if (!*text) return Error(ErrorCode::invalid_options, Phase::prepare, file + ": there is no such file");
  return std::move(**text);
}

int run_autoscale(const AutoscaleFlags& flags) {
  if (flags.command == "show") return show(flags);
  if (flags.command == "import") return import(flags);
  if (flags.command == "lint") return lint(flags);
  return run_simulate(flags);
}

}  // namespace trunkline::cli
