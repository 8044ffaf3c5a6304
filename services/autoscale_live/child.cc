#include "services/autoscale_live/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "base/descriptor_limit.h"
#include "base/text.h"

namespace trunkline::autoscale {
namespace {

Error start_failed(const std::string& program, std::string_view what, int reason) {
  return {ErrorCode::invalid_options, Phase::prepare,
          printable(program) + " cannot be started: " + std::string(what) + ": " + std::strerror(reason)};
}

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  void reset() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

// Found before the fork: to look through PATH allocates.
std::string path_of(const std::string& program) {
  if (program.find('/') != std::string::npos) return program;
  const char* path = std::getenv("PATH");
  std::string_view folders = path ? path : "/usr/local/bin:/usr/bin:/bin";
  while (!folders.empty()) {
    const std::size_t end = std::min(folders.find(':'), folders.size());
    const std::string_view folder = folders.substr(0, end);
    const std::string candidate = (folder.empty() ? "." : std::string(folder)) + "/" + program;
    if (::access(candidate.c_str(), X_OK) == 0 && !std::filesystem::is_directory(candidate)) return candidate;
    folders.remove_prefix(std::min(end + 1, folders.size()));
  }
  return program;
}

// Ours, but for the names that are given anew.
std::vector<std::string> environment_with(const std::vector<std::string>& more) {
  std::vector<std::string> all = more;
  for (char** variable = environ; variable && *variable; ++variable) {
    const std::string_view text = *variable;
    const std::string_view name = text.substr(0, text.find('=') + 1);
    bool given = false;
    for (const std::string& one : more) given = given || one.starts_with(name);
    if (!given) all.emplace_back(text);
  }
  return all;
}

std::vector<char*> pointers_of(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

struct Prepared {
  const char* path;
  char* const* arguments;
  char* const* environment;
  int input;
  int output;
  int report;
  pid_t parent;
  const rlimit* files;  // null: as ours
};

// The child, between fork and exec: nothing but system calls.
[[noreturn]] void become(const Prepared& prepared) {
  // A parent that is gone already sends nothing any more: then it is to be seen here.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != prepared.parent) ::_exit(127);
  ::setpgid(0, 0);
  // What we ignore would stay ignored, and what we block would stay blocked.
  struct sigaction by_default{};
  by_default.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &by_default, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
  if (prepared.files) ::setrlimit(RLIMIT_NOFILE, prepared.files);
  if (::dup2(prepared.input, 0) >= 0 && ::dup2(prepared.output, 1) >= 0 && ::dup2(prepared.output, 2) >= 0) {
    ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    ::execve(prepared.path, prepared.arguments, prepared.environment);
  }
  const int reason = errno;
  [[maybe_unused]] const ssize_t told = ::write(prepared.report, &reason, sizeof(reason));
  ::_exit(127);
}

std::string how_it_ended(int status) {
  if (WIFEXITED(status)) return "ended with code " + std::to_string(WEXITSTATUS(status));
  if (WIFSIGNALED(status)) return "was killed by signal " + std::to_string(WTERMSIG(status));
  return "ended";
}

}  // namespace

Result<Child> Child::start(const ChildCommand& command) {
  const std::string& program = command.arguments.front();
  const Descriptor input(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const std::string log = command.log.empty() ? "/dev/null" : command.log;
  const Descriptor output(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
  if (output.get() < 0) return start_failed(program, log, errno);
  std::array<int, 2> pipe{};
  if (input.get() < 0 || ::pipe2(pipe.data(), O_CLOEXEC) != 0) return start_failed(program, "no descriptors", errno);
  const Descriptor report(pipe[0]);
  Descriptor reporter(pipe[1]);

  const std::string path = path_of(program);
  std::vector<std::string> arguments = command.arguments;
  std::vector<std::string> environment = environment_with(command.environment);
  const std::vector<char*> argument_pointers = pointers_of(arguments);
  const std::vector<char*> environment_pointers = pointers_of(environment);
  const Prepared prepared{.path = path.c_str(),
                          .arguments = argument_pointers.data(),
                          .environment = environment_pointers.data(),
                          .input = input.get(),
                          .output = output.get(),
                          .report = reporter.get(),
                          .parent = ::getpid(),
                          .files = descriptor_limit_before() ? &*descriptor_limit_before() : nullptr};
  // No handler of ours may run in the child.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = ::fork();
  if (pid == 0) become(prepared);
  const int fork_error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return start_failed(program, "no process can be made", fork_error);
  ::setpgid(pid, pid);  // whoever of the two is first: a signal to the group must find it
  reporter.reset();
  // By number: glibc 2.36 declares the function for C only.
  Child child(pid, static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  int reason = 0;
  ssize_t got = 0;
  do {
    got = ::read(report.get(), &reason, sizeof(reason));
  } while (got < 0 && errno == EINTR);
  if (got > 0) return start_failed(program, path, reason);
  if (child.descriptor_ < 0) return start_failed(program, "pidfd_open", errno);
  return child;
}

Child::~Child() {
  if (pid_ > 0) {
    ::kill(-pid_, SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
  }
  if (descriptor_ >= 0) ::close(descriptor_);
}

void Child::signal(int number) const {
  if (pid_ > 0) ::kill(-pid_, number);
}

std::optional<std::string> Child::reap() {
  if (pid_ <= 0) return "is gone";
  siginfo_t info{};
  // It stays a zombie for a moment, so that nobody else can have its group's number when the rest of it is killed.
  const int seen = ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
  if (seen == 0 && info.si_pid == 0) return std::nullopt;
  if (seen == 0) ::kill(-pid_, SIGKILL);
  int status = 0;
  pid_t reaped = 0;
  do {
    reaped = ::waitpid(pid_, &status, 0);
  } while (reaped < 0 && errno == EINTR);
  pid_ = -1;
  return reaped < 0 ? "is gone, and somebody else knows how" : how_it_ended(status);
}

void keep_bounded(const std::string& path, std::uint64_t most_bytes) {
  std::error_code ignored;
  if (std::filesystem::file_size(path, ignored) <= most_bytes || ignored) return;
  // The child has it open, so it is emptied and not replaced; lines written just now may be lost.
  std::filesystem::copy_file(path, path + ".1", std::filesystem::copy_options::overwrite_existing, ignored);
  std::filesystem::resize_file(path, 0, ignored);
}

}  // namespace trunkline::autoscale
