#include "net/dns_channel.h"

// Later versions than Debian 12's deprecate what this one has.
#define CARES_NO_DEPRECATED
#include <ares.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "net/descriptors.h"

namespace trunkline::net {
namespace {

// At load time, because it counts its callers without a lock.
[[maybe_unused]] const int initialised = ares_library_init(ARES_LIB_INIT_ALL);

constexpr int asked_class = 1;

// The sockets are opened here so that they are close-on-exec from the start and known to the fork handler.
ares_socket_t open_socket(int family, int type, int protocol, void* why) {
  const int fd = ::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  *static_cast<int*>(why) = fd >= 0 ? 0 : errno;
  if (fd >= 0) note_descriptor(fd);
  return fd;
}

int close_socket(ares_socket_t fd, void*) {
  forget_descriptor(fd);
  return ::close(fd);
}

int connect_socket(ares_socket_t fd, const sockaddr* to, ares_socklen_t size, void*) { return ::connect(fd, to, size); }

ares_ssize_t receive(ares_socket_t fd, void* buffer, std::size_t size, int flags, sockaddr* from,
                     ares_socklen_t* from_size, void*) {
  return ::recvfrom(fd, buffer, size, flags, from, from_size);
}

// Not writev(): a name server that closes must not raise SIGPIPE.
ares_ssize_t send_all(ares_socket_t fd, const iovec* parts, int count, void*) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts);
  message.msg_iovlen = static_cast<std::size_t>(count);
  return ::sendmsg(fd, &message, MSG_NOSIGNAL);
}

constexpr ares_socket_functions socket_functions = {open_socket, close_socket, connect_socket, receive, send_all};

struct Question {
  RecordType type;
  Callback<void(DnsReply)> done;
  const int* open_error;  // of the channel's last socket
};

std::string status_text(int status) {
  switch (status) {
    case ARES_ETIMEOUT:
      return "no name server answered";
    case ARES_ECONNREFUSED:
      return "no name server gave an answer (all failed, refused or could not be reached)";
    default:
      return ares_strerror(status);
  }
}

void on_reply(void* argument, int status, int, unsigned char* bytes, int size) {
  const std::unique_ptr<Question> question(static_cast<Question*>(argument));
  if (status == ARES_EDESTRUCTION) return;
  DnsReply reply;
  if (bytes && size > 0) {
    reply = read_dns_reply({reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)}, question->type);
  } else {
    const int why = status == ARES_ECONNREFUSED ? *question->open_error : 0;
    reply.no_sockets = why == EMFILE || why == ENFILE || why == ENOBUFS || why == ENOMEM;
    reply.why = status_text(status);
    if (reply.no_sockets) {
      reply.why = "no socket can be opened to ask a name server: " + std::generic_category().message(why);
    }
  }
  question->done(std::move(reply));
}

}  // namespace

struct DnsChannel::Impl final : Timer {
  // Destroyed at the end of a turn only, because its events may be in hand.
  struct Socket final : Watcher {
    Impl* owner = nullptr;  // null: closed
    int fd = -1;
    std::uint32_t interest = 0;
    void on_events(std::uint32_t events) override {
      if (owner) owner->process(*this, events);
    }
  };

  explicit Impl(Loop& of) : loop(of) {}

  static void on_state(void* self, ares_socket_t fd, int wants_read, int wants_write) {
    static_cast<Impl*>(self)->watch(fd, (wants_read ? readable : 0u) | (wants_write ? writable : 0u));
  }
  bool loop_is_gone() const { return Loop::current() != &loop; }

  void watch(int fd, std::uint32_t interest);
  void process(Socket& socket, std::uint32_t events);
  void on_timer() override;
  void set_alarm();

  Loop& loop;
  const std::uint64_t generation = fork_generation();
  ares_channel channel = nullptr;
  int open_error = 0;  // of the last socket: errno, or 0
  std::unordered_map<int, std::unique_ptr<Socket>> sockets;
};

void DnsChannel::Impl::watch(int fd, std::uint32_t interest) {
  const auto known = sockets.find(fd);
  if (interest == 0) {  // about to be closed
    if (known == sockets.end()) return;
    auto socket = std::move(known->second);
    sockets.erase(known);
    socket->owner = nullptr;
    if (loop_is_gone()) return;
    loop.remove(fd);
    loop.retire([kept = std::move(socket)] {});
    return;
  }
  if (known != sockets.end()) {
    known->second->interest = interest;
    loop.arm(fd, *known->second, interest);
    return;
  }
  auto socket = std::make_unique<Socket>();
  socket->owner = this;
  socket->fd = fd;
  socket->interest = interest;
  // When the kernel watches no more sockets, the question ends by its time limit.
  loop.add(fd, *socket, interest);
  sockets.emplace(fd, std::move(socket));
}

void DnsChannel::Impl::process(Socket& socket, std::uint32_t events) {
  ares_process_fd(channel, events & (readable | hung_up) ? socket.fd : ARES_SOCKET_BAD,
                  events & writable ? socket.fd : ARES_SOCKET_BAD);
  // c-ares reads a reply over TCP in pieces, one for each event, and our events come once: armed again, the kernel
  // tells what is still unread.
  if (socket.owner) loop.arm(socket.fd, socket, socket.interest);
  set_alarm();
}

void DnsChannel::Impl::on_timer() {
  ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  set_alarm();
}

void DnsChannel::Impl::set_alarm() {
  timeval rest{};
  if (!ares_timeout(channel, nullptr, &rest)) return loop.set_timer(*this, never);
  // Its clock and ours round differently: a moment later rather than in vain.
  const auto wait =
      std::chrono::seconds(rest.tv_sec) + std::chrono::microseconds(rest.tv_usec) + std::chrono::milliseconds(1);
  loop.set_timer(*this, Clock::now() + wait);
}

DnsChannel::DnsChannel(Loop& loop, const DnsSetup& setup) : impl_(std::make_unique<Impl>(loop)) {
  ares_options options{};
  std::string path = setup.resolv_conf;
  options.sock_state_cb = Impl::on_state;
  options.sock_state_cb_data = impl_.get();
  options.resolvconf_path = path.data();
  int status = ares_init_options(&impl_->channel, &options, ARES_OPT_SOCK_STATE_CB | ARES_OPT_RESOLVCONF);
  if (status == ARES_SUCCESS && !setup.servers.empty()) {
    status = ares_set_servers_ports_csv(impl_->channel, setup.servers.c_str());
  }
  if (status != ARES_SUCCESS) {
    failure_ = "the name servers of " + path + " cannot be used: " + ares_strerror(status);
    return;
  }
  ares_set_socket_functions(impl_->channel, &socket_functions, &impl_->open_error);

  ares_options chosen{};
  int mask = 0;
  if (ares_save_options(impl_->channel, &chosen, &mask) == ARES_SUCCESS) {
    for (int i = 0; i < chosen.ndomains; ++i) domains_.emplace_back(chosen.domains[i]);
    ndots_ = chosen.ndots;
    if (chosen.lookups) sources_ = chosen.lookups;
  }
  ares_destroy_options(&chosen);
}

DnsChannel::~DnsChannel() {
  if (impl_->generation != fork_generation()) {
    // In a forked child the sockets are closed already, and their numbers may be others' by now.
    [[maybe_unused]] const Impl* leaked = impl_.release();
    return;
  }
  if (!impl_->loop_is_gone()) impl_->loop.cancel_timer(*impl_);
  if (impl_->channel) ares_destroy(impl_->channel);
}

void DnsChannel::ask(const std::string& name, RecordType type, Callback<void(DnsReply)> done) {
  if (!failure_.empty()) {
    DnsReply reply;
    reply.why = failure_;
    return done(std::move(reply));
  }
  auto question = std::make_unique<Question>(Question{type, std::move(done), &impl_->open_error});
  impl_->open_error = 0;
  ares_query(impl_->channel, name.c_str(), asked_class, static_cast<int>(type), on_reply, question.release());
  impl_->set_alarm();
}

}  // namespace trunkline::net
