// Peers for the tests of this folder, on loopback: a certificate authority, a blocking TLS server in a thread, and
// sockets whose other end the test holds. Everything waits with a limit, so a broken test fails and does not hang.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "net/descriptors.h"
#include "net/loop.h"
#include "net/stream.h"

namespace trunkline::net::peers {

constexpr int patience_ms = 20'000;

inline void check(bool good, const char* what) {
  if (!good)
    throw std::runtime_error(std::string(what) + ": " + std::error_code(errno, std::generic_category()).message());
}

inline bool wait_for(int fd, short events) {
  pollfd entry{fd, events, 0};
  return ::poll(&entry, 1, patience_ms) == 1;
}

// A file descriptor with an owner.
class Socket {
 public:
  explicit Socket(int fd = -1) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket() { close(); }
  int fd() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  void reset() {  // close with RST
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }
  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t size = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      check(size > 0, "send");
      bytes.remove_prefix(static_cast<std::size_t>(size));
    }
  }
  std::string receive(std::size_t most = 65536) const {  // empty at the end
    if (!wait_for(fd_, POLLIN)) return "nothing came in time";
    std::string bytes(most, '\0');
    const ssize_t size = ::recv(fd_, bytes.data(), most, 0);
    bytes.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return bytes;
  }

 private:
  int fd_;
};

class Listener {
 public:
  explicit Listener(int backlog = 64, const char* address = "127.0.0.1", std::uint16_t port = 0) {
    socket_ = Socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(port);
    ::inet_pton(AF_INET, address, &name.sin_addr);
    check(::bind(socket_.fd(), reinterpret_cast<sockaddr*>(&name), sizeof name) == 0, "bind");
    check(::listen(socket_.fd(), backlog) == 0, "listen");
    socklen_t size = sizeof name;
    ::getsockname(socket_.fd(), reinterpret_cast<sockaddr*>(&name), &size);
    port_ = ntohs(name.sin_port);
  }
  std::uint16_t port() const { return port_; }
  Socket accept() const {
    if (!wait_for(socket_.fd(), POLLIN)) return Socket();
    Socket peer(::accept4(socket_.fd(), nullptr, nullptr, SOCK_CLOEXEC));
    const timeval limit{patience_ms / 1000, 0};
    ::setsockopt(peer.fd(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(peer.fd(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    return peer;
  }
  void stop() const { ::shutdown(socket_.fd(), SHUT_RDWR); }  // accept() in another thread returns
  void close() { socket_.close(); }

 private:
  Socket socket_;
  std::uint16_t port_ = 0;
};

// A connected, non-blocking socket that is noted as the library's own, as make_tcp_stream expects.
inline int connect_to(std::uint16_t port, int buffer_bytes = 0) {
  Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (buffer_bytes) {
    ::setsockopt(socket.fd(), SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes);
    ::setsockopt(socket.fd(), SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
  }
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(port);
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  check(::connect(socket.fd(), reinterpret_cast<sockaddr*>(&name), sizeof name) == 0, "connect");
  note_descriptor(socket.fd());
  return socket.release();
}

// A stream and the socket at its other end.
struct TcpPair {
  std::unique_ptr<Stream> stream;
  Socket peer;
};

inline TcpPair tcp_pair(int buffer_bytes = 0) {
  const Listener listener;
  TcpPair pair;
  pair.stream = make_tcp_stream(connect_to(listener.port(), buffer_bytes));
  pair.peer = listener.accept();
  return pair;
}

// Runs on the loop's thread and waits for it.
inline void on(Loop& loop, std::function<void()> work) {
  std::promise<void> done;
  loop.post([&] {
    work();
    done.set_value();
  });
  done.get_future().get();
}

// A value that comes from another thread, with a limit on the wait.
template <class T>
bool arrived(std::future<T>& future) {
  return future.wait_for(std::chrono::milliseconds(patience_ms)) == std::future_status::ready;
}

struct Certificate {
  std::shared_ptr<X509> x509;
  std::shared_ptr<EVP_PKEY> key;

  std::string pem() const {
    return text([this](BIO* bio) { PEM_write_bio_X509(bio, x509.get()); });
  }
  std::string key_pem() const {
    return text([this](BIO* bio) { PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
  }
  std::string encrypted_key_pem() const {
    return text([this](BIO* bio) {
      PEM_write_bio_PrivateKey(bio, key.get(), EVP_aes_128_cbc(), nullptr, 0, nullptr, const_cast<char*>("secret"));
    });
  }

 private:
  template <class Write>
  static std::string text(Write write) {
    const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(BIO_new(BIO_s_mem()), BIO_free_all);
    write(bio.get());
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &bytes);
    return {bytes, static_cast<std::size_t>(size)};
  }
};

struct Wish {
  std::string common_name = "test server";
  std::string names = "DNS:localhost,IP:127.0.0.1";  // subjectAltName in OpenSSL's spelling; empty: none
  long valid_from_s = -3600;                         // from now
  long valid_until_s = 3600;
};

class Authority {
 public:
  explicit Authority(const std::string& name = "test authority") {
    Wish wish;
    wish.common_name = name;
    wish.names.clear();
    self_ = make(wish, nullptr);
  }
  const Certificate& certificate() const { return self_; }
  std::string pem() const { return self_.pem(); }
  Certificate issue(const Wish& wish = {}) const { return make(wish, &self_); }

 private:
  static void extend(X509* x509, X509* issuer, int nid, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, x509, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
    check(extension != nullptr, "X509V3_EXT_conf_nid");
    X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
  }

  static Certificate make(const Wish& wish, const Certificate* issuer) {
    static long serial = 1;
    Certificate made{{X509_new(), X509_free}, {EVP_EC_gen("P-256"), EVP_PKEY_free}};
    X509* x509 = made.x509.get();
    X509_set_version(x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x509), wish.valid_from_s);
    X509_gmtime_adj(X509_getm_notAfter(x509), wish.valid_until_s);
    X509_set_pubkey(x509, made.key.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(wish.common_name.c_str()), -1, -1, 0);
    X509* parent = issuer ? issuer->x509.get() : x509;
    X509_set_issuer_name(x509, X509_get_subject_name(parent));
    extend(x509, parent, NID_basic_constraints, issuer ? "critical,CA:FALSE" : "critical,CA:TRUE");
    extend(x509, parent, NID_subject_key_identifier, "hash");
    if (!wish.names.empty()) extend(x509, parent, NID_subject_alt_name, wish.names.c_str());
    X509_sign(x509, issuer ? issuer->key.get() : made.key.get(), EVP_sha256());
    return made;
  }

  Certificate self_;
};

struct TlsServerSetup {
  Certificate certificate;
  int version = 0;            // TLS1_2_VERSION: no more than that
  std::string client_ca_pem;  // clients must show a certificate of this authority
  std::string alpn;           // the one protocol it speaks
  int buffer_bytes = 0;       // of the accepted sockets
};

// Accepts connections one after the other and gives each to `serve` once its handshake is done.
class TlsServer {
 public:
  using Serve = std::function<void(SSL*)>;

  TlsServer(TlsServerSetup setup, Serve serve)
      : setup_(std::move(setup)), serve_(std::move(serve)), context_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free) {
    SSL_CTX* context = context_.get();
    SSL_CTX_use_certificate(context, setup_.certificate.x509.get());
    SSL_CTX_use_PrivateKey(context, setup_.certificate.key.get());
    if (setup_.version) SSL_CTX_set_max_proto_version(context, setup_.version);
    SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>("t"), 1);
    if (!setup_.client_ca_pem.empty()) require_client_certificate();
    if (!setup_.alpn.empty()) SSL_CTX_set_alpn_select_cb(context, select_alpn, this);
    thread_ = std::thread([this] { run(); });
  }
  ~TlsServer() {
    listener_.stop();
    thread_.join();
  }
  std::uint16_t port() const { return listener_.port(); }
  int handshakes() const { return handshakes_; }
  int resumed() const { return resumed_; }

 private:
  void require_client_certificate() {
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    BIO* bio = BIO_new_mem_buf(setup_.client_ca_pem.data(), static_cast<int>(setup_.client_ca_pem.size()));
    X509* authority = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), authority);
    X509_free(authority);
    BIO_free(bio);
  }

  static int select_alpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char*, unsigned int,
                         void* self) {
    const std::string& alpn = static_cast<TlsServer*>(self)->setup_.alpn;  // whether it was offered or not
    *out = reinterpret_cast<const unsigned char*>(alpn.data());
    *out_size = static_cast<unsigned char>(alpn.size());
    return SSL_TLSEXT_ERR_OK;
  }

  void run() {
    sigset_t pipe;  // OpenSSL writes without MSG_NOSIGNAL; the library's own writes must not need this
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    for (;;) {
      const Socket socket = listener_.accept();
      if (socket.fd() < 0) return;
      if (setup_.buffer_bytes) {
        ::setsockopt(socket.fd(), SOL_SOCKET, SO_SNDBUF, &setup_.buffer_bytes, sizeof setup_.buffer_bytes);
      }
      const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context_.get()), SSL_free);
      SSL_set_fd(ssl.get(), socket.fd());
      if (SSL_accept(ssl.get()) == 1) {
        ++handshakes_;
        if (SSL_session_reused(ssl.get())) ++resumed_;
        serve_(ssl.get());
      }
      ERR_clear_error();
    }
  }

  const TlsServerSetup setup_;
  const Serve serve_;
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  const Listener listener_;
  std::atomic<int> handshakes_{0};
  std::atomic<int> resumed_{0};
  std::thread thread_;
};

// Gives back every byte until the client closes, then says goodbye.
inline void echo(SSL* ssl) {
  char buffer[16 * 1024];
  for (;;) {
    const int size = SSL_read(ssl, buffer, sizeof buffer);
    if (size <= 0) break;
    if (SSL_write(ssl, buffer, size) <= 0) return;
  }
  SSL_shutdown(ssl);
}

}  // namespace trunkline::net::peers
