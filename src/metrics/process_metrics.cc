#include "metrics/process_metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <sstream>
#include <string>

namespace trunkline::metrics {
namespace {

std::string read_file(const char* path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

bool number_at(std::string_view text, double& value) {
  return std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc();
}

double count_descriptors() {
  DIR* const directory = opendir("/proc/self/fd");
  if (directory == nullptr) return 0;
  double count = -1;  // the one that reads the directory
  while (const dirent* entry = readdir(directory)) count += entry->d_name[0] == '.' ? 0 : 1;
  closedir(directory);
  return count;
}

}  // namespace

bool parse_process_figures(std::string_view self_stat, std::string_view system_stat, long ticks_per_second,
                           long page_bytes, ProcessFigures& figures) {
  // The program's name, in brackets, may hold blanks and brackets: fields are counted behind the last one (proc(5)).
  const std::size_t bracket = self_stat.rfind(')');
  const std::size_t btime = system_stat.find("\nbtime ");
  if (bracket == std::string_view::npos || btime == std::string_view::npos) return false;
  std::string_view rest = self_stat.substr(bracket + 1);
  double fields[25] = {};
  for (int i = 3; i <= 24; ++i) {
    if (!rest.starts_with(' ')) return false;
    rest.remove_prefix(1);
    const std::string_view field = rest.substr(0, rest.find(' '));
    if (i > 3 && !number_at(field, fields[i])) return false;
    rest.remove_prefix(field.size());
  }
  double boot = 0;
  if (!number_at(system_stat.substr(btime + 7), boot)) return false;
  const auto ticks = static_cast<double>(ticks_per_second);
  figures.cpu_seconds = (fields[14] + fields[15]) / ticks;
  figures.threads = fields[20];
  figures.start_time_seconds = boot + fields[22] / ticks;
  figures.virtual_bytes = fields[23];
  figures.resident_bytes = fields[24] * static_cast<double>(page_bytes);
  return true;
}

void write_process_metrics(ExpositionWriter& writer) {
  ProcessFigures figures;
  if (!parse_process_figures(read_file("/proc/self/stat"), read_file("/proc/stat"), sysconf(_SC_CLK_TCK),
                             sysconf(_SC_PAGESIZE), figures)) {
    return;
  }
  figures.open_fds = count_descriptors();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) figures.max_fds = static_cast<double>(limit.rlim_cur);

  const auto single = [&writer](std::string_view name, Type type, std::string_view help, double value) {
    writer.family(name, type, help);
    writer.sample(value);
  };
  single("process_cpu_seconds_total", Type::counter, "User and system CPU time.", figures.cpu_seconds);
  single("process_start_time_seconds", Type::gauge, "When the process started, since 1970.",
         figures.start_time_seconds);
  single("process_virtual_memory_bytes", Type::gauge, "Virtual memory.", figures.virtual_bytes);
  single("process_resident_memory_bytes", Type::gauge, "Memory in RAM.", figures.resident_bytes);
  single("process_threads", Type::gauge, "Threads.", figures.threads);
  single("process_open_fds", Type::gauge, "Open file descriptors.", figures.open_fds);
  single("process_max_fds", Type::gauge, "File descriptors that may be open.", figures.max_fds);
}

}  // namespace trunkline::metrics
