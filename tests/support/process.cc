#include "support/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

namespace trunkline::test {
namespace {

constexpr auto patience = std::chrono::seconds(30);

void must(bool good, const char* what) {
  if (!good) throw std::system_error(errno, std::generic_category(), what);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

}  // namespace

Process::Process(std::vector<std::string> arguments, std::vector<std::string> environment) {
  for (char** variable = environ; *variable != nullptr; ++variable) environment.emplace_back(*variable);
  std::vector<char*> argv = pointers(arguments);
  std::vector<char*> envp = pointers(environment);
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  // Not a pipe, whose end would send us SIGPIPE: tests leave that signal alone, to see that the library never causes
  // it.
  must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in.data()) == 0, "socketpair");
  must(pipe2(out.data(), O_CLOEXEC) == 0, "pipe");
  const pid_t parent = getpid();
  pid_ = fork();
  must(pid_ >= 0, "fork");
  if (pid_ == 0) {  // only what is safe between fork and exec
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(126);
    dup2(in[0], 0);
    dup2(out[1], 1);
    execvpe(argv[0], argv.data(), envp.data());
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  to_ = in[1];
  from_ = out[0];
}

Process::~Process() {
  if (!ended_) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  if (to_ >= 0) close(to_);
  close(from_);
}

bool Process::read_more(std::chrono::steady_clock::time_point deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
  pollfd event{.fd = from_, .events = POLLIN, .revents = 0};
  if (left <= 0 || poll(&event, 1, static_cast<int>(left)) <= 0) return false;
  std::array<char, 4096> chunk{};
  const ssize_t size = read(from_, chunk.data(), chunk.size());
  if (size <= 0) return false;
  buffer_.append(chunk.data(), static_cast<std::size_t>(size));
  return true;
}

std::string Process::read_line() {
  std::string line = read_until("\n");
  if (!line.empty()) line.pop_back();
  return line;
}

std::string Process::read_until(std::string_view text) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    if (const std::size_t at = buffer_.find(text); at != std::string::npos) {
      std::string found = buffer_.substr(0, at + text.size());
      buffer_.erase(0, at + text.size());
      return found;
    }
    if (!read_more(deadline)) return {};
  }
}

void Process::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t size = send(to_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size < 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(size));
  }
}

void Process::send_signal(int signal) const { kill(pid_, signal); }

int Process::wait(std::string* output) {
  if (to_ >= 0) close(std::exchange(to_, -1));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(5);
  while (read_more(deadline)) {
  }
  if (!ended_) waitpid(pid_, &status_, 0);
  ended_ = true;
  if (output != nullptr) *output = std::move(buffer_);
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : -WTERMSIG(status_);
}

bool Process::running() {
  if (!ended_) ended_ = waitpid(pid_, &status_, WNOHANG) == pid_;
  return !ended_;
}

TempDir::TempDir() {
  std::string pattern = (std::filesystem::temp_directory_path() / "trunkline-test-XXXXXX").string();
  must(mkdtemp(pattern.data()) != nullptr, "mkdtemp");
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TempDir::write(const std::string& name, std::string_view contents) const {
  const std::filesystem::path file = path_ / name;
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary | std::ios::trunc) << contents;
  return file.string();
}

std::string read_file(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

}  // namespace

int free_port() {
  constexpr int first = 2000;
  constexpr int count = 3000;
  static std::atomic<int> next{getpid() * 61 % count};  // each process begins elsewhere
  for (int tries = 0; tries < count; ++tries) {
    const int port = first + next++ % count;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(port);
    const bool is_free = bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    close(fd);
    if (is_free) return port;
  }
  throw std::runtime_error("no port is free");
}

bool wait_for_port(int port) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  const sockaddr_in address = loopback(port);
  while (std::chrono::steady_clock::now() < deadline) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool connected = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    close(fd);
    if (connected) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

}  // namespace trunkline::test
