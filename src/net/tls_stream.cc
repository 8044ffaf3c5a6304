#include <arpa/inet.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>

#include "base/per_thread.h"
#include "base/text.h"
#include "net/certificate.h"
#include "net/openssl.h"
#include "net/tls.h"
#include "net/tls_server.h"

namespace trunkline::net {
namespace {

constexpr std::size_t record_size = 16 * 1024;  // the most plaintext that one TLS record holds
// Ciphertext that the socket does not take. Beyond it nothing more is accepted, so that a slow peer is a slow sender.
constexpr std::size_t kept_limit = 64 * 1024;
// Records that the peer makes us answer (key updates) while it does not read. Above what write() may keep.
constexpr std::size_t answers_limit = 2 * kept_limit;
// Records without one byte of data (tickets, key updates): nobody honest sends this much at once.
constexpr std::size_t silent_limit = 256 * 1024;
// OpenSSL bounds each message, but skips some (HelloRequest) without counting: the loop must not be held by them.
constexpr std::size_t handshake_limit = 512 * 1024;

class OpensslCategory final : public std::error_category {
 public:
  const char* name() const noexcept override { return "openssl"; }
  std::string message(int code) const override {
    const char* reason = ERR_reason_error_string(static_cast<unsigned long>(code));
    return reason ? std::string("TLS: ") + reason : "TLS error";
  }
};

struct ServerName {
  std::string text;     // without zone or the root's dot
  std::string address;  // 4 or 16 bytes when it is an IP address
};

ServerName parse_name(const std::string& name) {
  ServerName parsed{name.substr(0, name.find('%')), {}};
  std::array<unsigned char, 16> bytes;
  for (const int family : {AF_INET, AF_INET6}) {
    if (inet_pton(family, parsed.text.c_str(), bytes.data()) != 1) continue;
    parsed.address.assign(reinterpret_cast<const char*>(bytes.data()), family == AF_INET ? 4 : 16);
    return parsed;
  }
  parsed.text = name;
  if (parsed.text.ends_with('.')) parsed.text.pop_back();  // RFC 6066: SNI has no trailing dot, nor have certificates
  return parsed;
}

class OpensslStream final : public TlsStream {
 public:
  OpensslStream(std::unique_ptr<Stream> lower, std::shared_ptr<TlsContext> context, const std::string& name,
                const std::vector<std::string>& alpn, std::shared_ptr<TlsSessions> sessions);
  OpensslStream(std::unique_ptr<Stream> lower, std::shared_ptr<TlsContext> context);  // a server's
  ~OpensslStream() override;

  Step handshake(Scratch& scratch) override;
  std::string failure() const override { return failure_; }
  bool untrusted() const override { return untrusted_; }
  std::string alpn() const override;
  std::string description() const override;
  TlsPeer peer() const override;

  ReadResult read(Scratch& scratch) override { return receive(scratch, false); }
  ReadResult read_waiting(Scratch& scratch) override { return receive(scratch, true); }
  WriteResult write(std::span<const std::string_view> parts) override;
  WriteResult flush() override;
  bool has_pending_output() const override { return !output_.empty() || lower_->has_pending_output(); }
  bool has_buffered_input() const override { return buffered_ || lower_->has_buffered_input(); }
  std::uint64_t bytes_sent() const override { return lower_->bytes_sent(); }
  void farewell() override;
  int fd() const override { return lower_->fd(); }

  // For OpenSSL's callbacks.
  int take_ciphertext(char* out, int size);
  int give_ciphertext(const char* bytes, int size);
  void keep_session(SessionPtr session);
  void judge(X509_STORE_CTX* store);

 private:
  bool attach();
  void set_up(const std::vector<std::string>& alpn);
  bool set_name();
  bool set_alpn(const std::vector<std::string>& alpn);
  Step fail(std::string why);
  Step fail_with_openssl();
  bool resumed_certificate_fits() const;
  ReadResult receive(Scratch& scratch, bool wait);
  std::size_t decrypt(char* out);
  void keep_rest();
  void free_ticket_buffers();
  ReadResult ending() const;
  std::size_t kept() const { return output_.size() - output_sent_; }
  WriteResult send_kept();
  std::string_view next_piece(std::span<const std::string_view>& parts, std::size_t& offset) const;

  std::unique_ptr<Stream> lower_;
  std::shared_ptr<TlsContext> context_;
  std::shared_ptr<TlsSessions> sessions_;
  ServerName name_;
  SslPtr ssl_;
  const char* const far_end_ = "the server";

  std::string_view input_;  // ciphertext that OpenSSL has not taken yet: in a scratch buffer, or in kept_input_
  std::string kept_input_;  // what was left over when read() or handshake() returned
  std::size_t handshake_bytes_ = 0;  // until now, over all of its turns
  bool lower_drained_ = true;
  bool buffered_ = false;  // the next read has something without asking the socket
  bool established_ = false;
  bool ticket_came_ = false;
  Io ended_ = Io::again;   // `closed`, `cut` or `failed` once input is over; delivered after the last bytes
  std::error_code error_;  // with `failed`

  std::string output_;  // ciphertext, freed when all of it is sent: an idle connection owns no buffer
  std::size_t output_sent_ = 0;

  std::string failure_;
  bool untrusted_ = false;
};

OpensslStream* stream_of(const SSL* ssl) { return static_cast<OpensslStream*>(SSL_get_app_data(ssl)); }

// A BIO between OpenSSL and the stream's own buffers: OpenSSL's socket BIO would cost two more reads per record, and
// its memory BIO a copy and a buffer per connection.
int bio_read(BIO* bio, char* out, int size) {
  BIO_clear_retry_flags(bio);
  const int taken = static_cast<OpensslStream*>(BIO_get_data(bio))->take_ciphertext(out, size);
  if (taken > 0) return taken;
  BIO_set_retry_read(bio);
  return -1;
}

int bio_write(BIO* bio, const char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  return static_cast<OpensslStream*>(BIO_get_data(bio))->give_ciphertext(bytes, size);
}

long bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

int bio_create(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

const BIO_METHOD* bio_method() {
  static const BIO_METHOD* method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "trunkline");
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_ctrl(made, bio_control);
    BIO_meth_set_create(made, bio_create);
    return made;
  }();
  return method;
}

OpensslStream::OpensslStream(std::unique_ptr<Stream> lower, std::shared_ptr<TlsContext> context,
                             const std::string& name, const std::vector<std::string>& alpn,
                             std::shared_ptr<TlsSessions> sessions)
    : lower_(std::move(lower)),
      context_(std::move(context)),
      sessions_(std::move(sessions)),
      name_(parse_name(name)),
      ssl_(SSL_new(context_->get())) {
  set_up(alpn);
}

OpensslStream::OpensslStream(std::unique_ptr<Stream> lower, std::shared_ptr<TlsContext> context)
    : lower_(std::move(lower)), context_(std::move(context)), ssl_(SSL_new(context_->get())), far_end_("the client") {
  if (attach()) SSL_set_accept_state(ssl_.get());
}

OpensslStream::~OpensslStream() {
  // SSL_free would mark the session as spoilt unless both sides had said goodbye. What spoils a session is a broken
  // record or handshake, not a connection that was dropped.
  if (ssl_ && established_ && ended_ != Io::failed) {
    SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  }
}

bool OpensslStream::attach() {
  clear_errors();
  BIO* bio = ssl_ ? BIO_new(bio_method()) : nullptr;
  if (!bio) {
    failure_ = "OpenSSL has no memory for a connection";
    return false;
  }
  BIO_set_data(bio, this);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), this);
  return true;
}

void OpensslStream::set_up(const std::vector<std::string>& alpn) {
  if (!attach()) return;
  SSL_set_connect_state(ssl_.get());
  if (!set_name() || !set_alpn(alpn)) return;
  if (sessions_ && context_->resume()) {
    if (SessionPtr session = sessions_->impl().take()) SSL_set_session(ssl_.get(), session.get());
  }
}

bool OpensslStream::set_name() {
  // An empty name would switch the check off.
  bool accepted = !name_.text.empty() && name_.text.find('\0') == std::string::npos;
  if (accepted && name_.address.empty()) accepted = SSL_set_tlsext_host_name(ssl_.get(), name_.text.c_str()) == 1;
  if (accepted && context_->verify()) {
    X509_VERIFY_PARAM* check = SSL_get0_param(ssl_.get());
    X509_VERIFY_PARAM_set_hostflags(check, name_check_flags);
    if (name_.address.empty()) {
      accepted = X509_VERIFY_PARAM_set1_host(check, name_.text.data(), name_.text.size()) == 1;
    } else {
      accepted = X509_VERIFY_PARAM_set1_ip(check, reinterpret_cast<const unsigned char*>(name_.address.data()),
                                           name_.address.size()) == 1;
    }
  }
  if (!accepted) failure_ = "\"" + printable(name_.text) + "\" is not a name that TLS can use";
  return accepted;
}

bool OpensslStream::set_alpn(const std::vector<std::string>& alpn) {
  std::string wire;
  for (const std::string& protocol : alpn) {
    if (protocol.empty() || protocol.size() > 255) {
      failure_ = "an ALPN protocol has 1 to 255 bytes";
      return false;
    }
    wire += static_cast<char>(protocol.size());
    wire += protocol;
  }
  if (!wire.empty()) {
    SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(wire.data()),
                        static_cast<unsigned int>(wire.size()));
  }
  return true;
}

TlsStream::Step OpensslStream::fail(std::string why) {
  if (failure_.empty()) failure_ = std::move(why);
  ended_ = Io::failed;
  error_ = std::make_error_code(std::errc::protocol_error);
  // If it was a ticket that the server choked on, the next handshake must not offer its siblings.
  if (sessions_) sessions_->clear();
  return Step::failed;
}

TlsStream::Step OpensslStream::fail_with_openssl() {
  const int reason = ERR_GET_REASON(ERR_peek_error());
  std::string text = take_error_text();
  if (reason == SSL_R_WRONG_VERSION_NUMBER) {
    text = std::string(far_end_) + "'s answer is not TLS, or of an unsupported version (" + text + ")";
  } else if (reason == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED || reason == SSL_R_SSLV3_ALERT_BAD_CERTIFICATE) {
    text = "the server refused our client certificate or wants one (" + text + ")";
  }
  return fail(std::move(text));
}

TlsStream::Step OpensslStream::handshake(Scratch& scratch) {
  if (!failure_.empty()) return fail({});
  for (;;) {
    clear_errors();
    const int result = SSL_do_handshake(ssl_.get());
    const int reason = result == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), result);
    // Also what a failed handshake has to say: the alert tells the server why.
    const WriteResult sent = send_kept();
    if (reason != SSL_ERROR_NONE && reason != SSL_ERROR_WANT_READ) return fail_with_openssl();
    if (sent.io == Io::failed) return fail("the connection broke during the handshake: " + sent.error.message());
    if (reason == SSL_ERROR_NONE) break;

    const ReadResult got = lower_->read(scratch);
    if (got.io == Io::again) return Step::again;
    if (got.io == Io::failed) return fail("the connection broke during the handshake: " + got.error.message());
    if (got.io != Io::ok) return fail(std::string(far_end_) + " closed the connection during the handshake");
    handshake_bytes_ += got.bytes.size();
    if (handshake_bytes_ > handshake_limit) return fail(std::string(far_end_) + " sends a handshake without an end");
    input_ = got.bytes;
    lower_drained_ = got.drained;
  }
  if (SSL_session_reused(ssl_.get()) && !resumed_certificate_fits()) {
    untrusted_ = true;
    return fail("the resumed session's certificate is not for " + printable(name_.text));
  }
  established_ = true;
  keep_rest();  // a server may send data or tickets right behind its last message
  return Step::done;
}

// A session is only ever offered under the key that it came from; this makes sure that no mix-up of keys goes unseen.
bool OpensslStream::resumed_certificate_fits() const {
  if (!context_->verify()) return true;
  X509* certificate = SSL_get0_peer_certificate(ssl_.get());
  if (!certificate) return false;
  if (name_.address.empty()) {
    return X509_check_host(certificate, name_.text.data(), name_.text.size(), name_check_flags, nullptr) == 1;
  }
  return X509_check_ip(certificate, reinterpret_cast<const unsigned char*>(name_.address.data()), name_.address.size(),
                       0) == 1;
}

std::string OpensslStream::alpn() const {
  const unsigned char* bytes = nullptr;
  unsigned int size = 0;
  if (ssl_) SSL_get0_alpn_selected(ssl_.get(), &bytes, &size);
  return size ? std::string(reinterpret_cast<const char*>(bytes), size) : std::string();
}

std::string OpensslStream::description() const {
  if (!ssl_) return {};
  std::string text = SSL_get_version(ssl_.get());
  text += ' ';
  text += SSL_get_cipher_name(ssl_.get());
  if (SSL_session_reused(ssl_.get())) text += ", resumed";
  return text;
}

TlsPeer OpensslStream::peer() const {
  TlsPeer peer;
  if (!ssl_) return peer;
  const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
  if (name != nullptr) peer.server_name = name;
  const X509* certificate = SSL_get0_peer_certificate(ssl_.get());
  if (certificate == nullptr || SSL_get_verify_result(ssl_.get()) != X509_V_OK) return peer;
  peer.subject = certificate_subject(certificate);
  peer.fingerprint = certificate_fingerprint(certificate);
  return peer;
}

// It waits once, so that a peer who sends half a record now and then cannot keep the caller from his time limit.
ReadResult OpensslStream::receive(Scratch& scratch, bool wait) {
  for (std::size_t silent = 0; silent < silent_limit;) {
    // What was kept from before says nothing about the socket: its event has come, and is answered by reading it.
    const bool from_buffer = buffered_;
    if (!from_buffer) {
      const ReadResult got = std::exchange(wait, false) ? lower_->read_waiting(scratch) : lower_->read(scratch);
      if (got.io == Io::again) return {};
      if (got.io == Io::ok) {
        input_ = got.bytes;
        lower_drained_ = got.drained;
        silent += got.bytes.size();
      } else {
        // FIN without close_notify may be an attacker's cut.
        ended_ = got.io == Io::closed ? Io::cut : got.io;
        error_ = got.error;
      }
    }
    if (ended_ != Io::again) return ending();

    // Where the ciphertext is not: below us may be another TLS, which has decrypted into `plain`.
    const bool from_plain = input_.data() >= scratch.plain.get() && input_.data() < scratch.plain.get() + Scratch::size;
    char* out = from_plain ? scratch.inner.get() : scratch.plain.get();
    const std::size_t size = decrypt(out);
    keep_rest();
    if (ticket_came_) free_ticket_buffers();
    if (!output_.empty()) send_kept();  // an answer to a key update; a failure will show in the next write
    if (size > 0) {
      ReadResult result;
      result.io = Io::ok;
      result.bytes = {out, size};
      result.drained = lower_drained_ && !buffered_ && !from_buffer;
      return result;
    }
    if (ended_ != Io::again) return ending();
    if (lower_drained_ && !from_buffer) return {};  // half a record, or a session ticket: nothing for the caller
  }
  ended_ = Io::failed;
  error_ = std::make_error_code(std::errc::protocol_error);
  buffered_ = true;
  return ending();
}

ReadResult OpensslStream::ending() const {
  ReadResult result;
  result.io = ended_;
  result.error = error_;
  return result;
}

// All that is complete in the input, up to one scratch buffer.
std::size_t OpensslStream::decrypt(char* out) {
  std::size_t total = 0;
  while (total < Scratch::size) {
    clear_errors();
    std::size_t size = 0;
    const int result = SSL_read_ex(ssl_.get(), out + total, Scratch::size - total, &size);
    if (result == 1) {
      total += size;
      // Nothing can follow: saves the call that would only say so.
      if (input_.empty() && total < Scratch::size) break;
      continue;
    }
    const int reason = SSL_get_error(ssl_.get(), result);
    if (reason == SSL_ERROR_WANT_READ) break;
    if (reason == SSL_ERROR_ZERO_RETURN) {
      ended_ = Io::closed;
    } else {
      ended_ = Io::failed;
      error_ = openssl_error(ERR_peek_error());
      if (failure_.empty()) failure_ = take_error_text();
      // A server of TLS 1.3 judges our certificate after the handshake; a ticket that came before is worth nothing.
      if (sessions_) sessions_->clear();
    }
    break;
  }
  if (kept() > answers_limit) {  // it asks for new keys and does not read the answers
    ended_ = Io::failed;
    error_ = std::make_error_code(std::errc::protocol_error);
  }
  return total;
}

// The scratch buffer is another connection's in a moment.
void OpensslStream::keep_rest() {
  if (input_.empty()) {
    if (!kept_input_.empty()) std::string().swap(kept_input_);
  } else {
    kept_input_ = std::string(input_);  // by way of a copy, because input_ may point into kept_input_
    input_ = kept_input_;
  }
  buffered_ = !input_.empty() || ended_ != Io::again || SSL_pending(ssl_.get()) > 0;
}

// The next at most record_size bytes. Small parts are put together, because each record costs 29 bytes and a tag.
std::string_view OpensslStream::next_piece(std::span<const std::string_view>& parts, std::size_t& offset) const {
  struct Gathered;
  auto& gathered = per_thread<std::unique_ptr<char[]>, Gathered>();
  const std::string_view rest = parts[0].substr(offset);
  if (parts.size() == 1 || rest.size() >= record_size) {
    const std::string_view piece = rest.substr(0, record_size);
    offset += piece.size();
    if (offset == parts[0].size()) {
      parts = parts.subspan(1);
      offset = 0;
    }
    return piece;
  }
  if (!gathered) gathered = std::make_unique_for_overwrite<char[]>(record_size);
  std::size_t size = 0;
  while (!parts.empty() && size < record_size) {
    const std::size_t taken = parts[0].substr(offset).copy(gathered.get() + size, record_size - size);
    size += taken;
    offset += taken;
    if (offset < parts[0].size()) break;
    parts = parts.subspan(1);
    offset = 0;
  }
  return {gathered.get(), size};
}

WriteResult OpensslStream::write(std::span<const std::string_view> parts) {
  WriteResult result;
  if (kept() >= kept_limit) {
    result = send_kept();
    if (result.io == Io::failed || kept() >= kept_limit) return result;
  }
  result.io = Io::ok;
  std::size_t offset = 0;
  // Goes on until something is kept: only then will an event say that there is room again.
  while (!parts.empty()) {
    const std::string_view piece = next_piece(parts, offset);
    if (!piece.empty()) {
      clear_errors();
      if (SSL_write(ssl_.get(), piece.data(), static_cast<int>(piece.size())) <= 0) {
        result.io = Io::failed;
        result.error = openssl_error(ERR_peek_error());
        return result;
      }
      result.accepted += piece.size();
    }
    if (!parts.empty() && kept() < kept_limit) continue;
    const WriteResult sent = send_kept();
    if (sent.io == Io::failed) return sent;
    if (sent.io == Io::again) break;
  }
  return result;
}

WriteResult OpensslStream::flush() {
  WriteResult result = send_kept();
  return result.io == Io::ok ? lower_->flush() : result;
}

WriteResult OpensslStream::send_kept() {
  WriteResult result;
  result.io = Io::ok;
  if (output_.empty()) return result;
  const std::string_view rest = std::string_view(output_).substr(output_sent_);
  const WriteResult sent = lower_->write({&rest, 1});
  if (sent.io == Io::failed) return sent;
  output_sent_ += sent.accepted;  // ciphertext: no byte that the caller offered
  if (output_sent_ < output_.size()) {
    result.io = Io::again;
  } else {
    std::string().swap(output_);
    output_sent_ = 0;
    result.io = Io::ok;
  }
  return result;
}

void OpensslStream::farewell() {
  if (established_ && ended_ != Io::failed) {
    clear_errors();
    SSL_shutdown(ssl_.get());
    send_kept();
  }
  lower_->farewell();
}

int OpensslStream::take_ciphertext(char* out, int size) {
  const std::size_t taken = input_.copy(out, static_cast<std::size_t>(size));
  input_.remove_prefix(taken);
  return static_cast<int>(taken);
}

int OpensslStream::give_ciphertext(const char* bytes, int size) {
  if (output_sent_ > 0 && output_.size() + static_cast<std::size_t>(size) > output_.capacity()) {
    output_.erase(0, output_sent_);  // what is sent makes room before new memory does
    output_sent_ = 0;
  }
  output_.append(bytes, static_cast<std::size_t>(size));
  return size;
}

void OpensslStream::keep_session(SessionPtr session) {
  ticket_came_ = true;
  if (sessions_ && context_->resume() && failure_.empty()) sessions_->impl().add(std::move(session));
}

// For a ticket, OpenSSL 3.0 sets up both record buffers as for a handshake, and would keep the one for writing, 17 KB,
// until the next request. Not in the middle of a record, part of which is in the buffer.
void OpensslStream::free_ticket_buffers() {
  if (std::string_view(SSL_rstate_string(ssl_.get())) != "RH") return;
  ticket_came_ = false;
  SSL_free_buffers(ssl_.get());
}

void OpensslStream::judge(X509_STORE_CTX* store) {
  untrusted_ = true;
  failure_ = certificate_complaint(store, name_.text);
}

}  // namespace

std::error_code openssl_error(unsigned long code) {
  static const OpensslCategory category;
  return {static_cast<int>(code ? code : ERR_PACK(ERR_LIB_SSL, 0, ERR_R_INTERNAL_ERROR)), category};
}

int tls_session_arrived(SSL* ssl, SSL_SESSION* session) {
  stream_of(ssl)->keep_session(SessionPtr(session));
  return 1;  // the session is ours now
}

int tls_certificate_judged(int ok, X509_STORE_CTX* store) {
  if (!ok) {
    const auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    stream_of(ssl)->judge(store);
  }
  return ok;
}

std::unique_ptr<TlsStream> make_tls_stream(std::unique_ptr<Stream> lower, std::shared_ptr<TlsContext> context,
                                           const std::string& name, const std::vector<std::string>& alpn,
                                           std::shared_ptr<TlsSessions> sessions) {
  return std::make_unique<OpensslStream>(std::move(lower), std::move(context), name, alpn, std::move(sessions));
}

std::unique_ptr<TlsStream> make_tls_server_stream(std::unique_ptr<Stream> lower, std::shared_ptr<TlsContext> context) {
  return std::make_unique<OpensslStream>(std::move(lower), std::move(context));
}

}  // namespace trunkline::net
