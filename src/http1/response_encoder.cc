#include "http1/response_encoder.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/characters.h"
#include "base/text.h"
#include "http1/request_encoder.h"

namespace trunkline::http1 {
namespace {

// Fields that are ours to set, wholly or where the caller does not. They are told apart by length first.
enum class OwnField : unsigned char {
  no,
  transport,  // refused
  connection,
  content_length,
  date,
  server,
  upgrade,
};

OwnField own_field(std::string_view name) {
  const auto is = [name](std::string_view other) { return equals_ignore_case(name, other); };
  switch (name.size()) {
    case 4:
      return is("date") ? OwnField::date : OwnField::no;
    case 6:
      return is("server") ? OwnField::server : OwnField::no;
    case 7:
      return is("upgrade") ? OwnField::upgrade : OwnField::no;
    case 10:
      if (is("keep-alive")) return OwnField::transport;
      return is("connection") ? OwnField::connection : OwnField::no;
    case 14:
      return is("content-length") ? OwnField::content_length : OwnField::no;
    case 16:
      return is("proxy-connection") ? OwnField::transport : OwnField::no;
    case 17:
      return is("transfer-encoding") ? OwnField::transport : OwnField::no;
    default:
      return OwnField::no;
  }
}

Error refused(std::string_view what) {
  std::string message("the response was refused: ");
  message += what;
  return {ErrorCode::invalid_request, Phase::prepare, std::move(message)};
}

Error refused_field(std::string_view name, std::string_view what) {
  return refused("the field \"" + printable(name, 40) + "\" " + std::string(what));
}

// What the caller's fields say about framing.
struct Noted {
  std::optional<std::uint64_t> length;
  bool close = false;
  bool upgrade = false;
  bool date = false;
  bool server = false;
};

Result<void> note_connection(std::string_view name, std::string_view options, Noted& noted) {
  std::string_view option;
  while (next_element(options, option)) {
    if (equals_ignore_case(option, "close")) {
      noted.close = true;
    } else if (!equals_ignore_case(option, "keep-alive") && !equals_ignore_case(option, "upgrade")) {
      return refused_field(name, "may hold only close, keep-alive and upgrade");
    }
  }
  return {};
}

Result<void> note_field(std::string_view name, std::string_view value, Noted& noted) {
  if (!is_token(name)) return refused_field(name, "has a name that is empty or holds a forbidden character");
  if (!is_field_value(value)) return refused_field(name, "has a value with a control character");
  switch (own_field(name)) {
    case OwnField::no:
      return {};
    case OwnField::transport:
      return refused_field(name, "is set by the transport only");
    case OwnField::connection:
      return note_connection(name, value, noted);
    case OwnField::content_length: {
      std::uint64_t length = 0;
      if (noted.length) return refused_field(name, "occurs twice");
      if (!parse_decimal(value, length)) return refused_field(name, "is not one decimal number");
      noted.length = length;
      return {};
    }
    case OwnField::date:
      noted.date = true;
      return {};
    case OwnField::server:
      noted.server = true;
      return {};
    case OwnField::upgrade:
      noted.upgrade = true;
      return {};
  }
  return {};
}

Result<Noted> note_all(const Headers* headers) {
  Noted noted;
  if (headers == nullptr) return noted;
  for (const Headers::Field field : *headers) {
    if (auto sound = note_field(field.name, field.value, noted); !sound) return std::move(sound).error();
  }
  return noted;
}

Result<void> check_body(const OutgoingResponse& response, const Noted& noted) {
  const bool never_has_body = response.status == 204 || response.status == 304;
  if (never_has_body && response.has_body) return refused("a 204 or 304 has no body, but one is given");
  if (response.status == 204 && (noted.length || response.content_length)) {
    return refused("a 204 has no body, but a length is given");
  }
  if (noted.length && response.content_length && *noted.length != *response.content_length) {
    return refused_field("Content-Length", "does not agree with the length of the body");
  }
  if (noted.length && response.has_body && !response.content_length) {
    return refused_field("Content-Length", "is set but the body's length is not known; give it with the body");
  }
  return {};
}

Result<Noted> check(const OutgoingResponse& response) {
  if (response.status < 200 || response.status > 599) return refused("its status is not between 200 and 599");
  if (!is_field_value(response.date)) return refused_field("Date", "has a value with a control character");
  if (!is_field_value(response.server)) return refused_field("Server", "has a value with a control character");
  Result<Noted> noted = note_all(response.headers);
  if (!noted) return noted;
  if (auto sound = check_body(response, *noted); !sound) return std::move(sound).error();
  return noted;
}

// Writes where the room was measured before: a std::string that is asked for each piece takes twice the instructions.
class Pen {
 public:
  explicit Pen(std::string& out, std::size_t most) : out_(out), begin_(out.size()) {
    out.resize(begin_ + most);
    at_ = out.data() + begin_;
  }
  Pen(const Pen&) = delete;
  Pen& operator=(const Pen&) = delete;
  ~Pen() { out_.resize(static_cast<std::size_t>(at_ - out_.data())); }

  Pen& text(std::string_view text) {
    at_ = std::copy(text.begin(), text.end(), at_);  // memcpy may not be given an empty one without memory
    return *this;
  }
  Pen& number(std::uint64_t value) {
    at_ = std::to_chars(at_, at_ + most_digits, value).ptr;
    return *this;
  }
  Pen& field(std::string_view name, std::string_view value) { return text(name).text(": ").text(value).text("\r\n"); }

  static constexpr std::size_t most_digits = 20;

 private:
  std::string& out_;
  const std::size_t begin_;
  char* at_;
};

void write_status_line(Pen& pen, int status) {
  pen.text("HTTP/1.1 ").number(static_cast<std::uint64_t>(status)).text(" ").text(reason_phrase(status)).text("\r\n");
}

// Those that are not ours to write.
void write_headers(Pen& pen, const Headers& headers) {
  for (const Headers::Field field : headers) {
    const OwnField owner = own_field(field.name);
    if (owner != OwnField::connection && owner != OwnField::content_length) pen.field(field.name, field.value);
  }
}

// Of the status line and the fields that are ours, but for the values that are measured.
constexpr std::size_t most_of_ours = 256;

std::size_t bytes_of(const Headers* headers) {
  std::size_t bytes = 0;
  if (headers == nullptr) return bytes;
  for (const Headers::Field field : *headers) bytes += field.name.size() + field.value.size() + 4;
  return bytes;
}

}  // namespace

Result<void> check_response(const OutgoingResponse& response) {
  if (auto noted = check(response); !noted) return std::move(noted).error();
  return {};
}

Result<ResponseFraming> encode_response(const OutgoingResponse& response, const ResponseContext& context,
                                        std::string& out) {
  const Result<Noted> checked = check(response);
  if (!checked) return checked.error();
  const Noted& noted = *checked;
  std::optional<std::uint64_t> length = response.content_length ? response.content_length : noted.length;
  const bool never_has_body = response.status == 204 || response.status == 304;
  if (!response.has_body && !never_has_body && !context.is_head) {
    if (length.value_or(0) != 0) return refused("it announces a body but has none");
    length = 0;
  }

  using Body = ResponseFraming::Body;
  ResponseFraming framing;
  framing.keep_alive = context.keep_alive && !noted.close;
  const bool is_chunked = response.has_body && !length && context.minor_version == 1;
  if (response.has_body && !context.is_head) {
    framing.body = length ? Body::length : is_chunked ? Body::chunked : Body::until_close;
    if (framing.body == Body::until_close) framing.keep_alive = false;
  }

  Pen pen(out, most_of_ours + response.date.size() + response.server.size() + bytes_of(response.headers));
  write_status_line(pen, response.status);
  if (!noted.date && !response.date.empty()) pen.field("Date", response.date);
  if (!noted.server && !response.server.empty()) pen.field("Server", response.server);
  if (response.headers != nullptr) write_headers(pen, *response.headers);
  if (noted.upgrade) {
    pen.field("Connection", framing.keep_alive ? "upgrade" : "upgrade, close");
  } else if (!framing.keep_alive) {
    pen.text("Connection: close\r\n");
  } else if (context.minor_version == 0) {
    pen.text("Connection: keep-alive\r\n");
  }
  if (is_chunked) {
    pen.text("Transfer-Encoding: chunked\r\n");
  } else if (length) {
    pen.text("Content-Length: ").number(*length).text("\r\n");
  }
  pen.text("\r\n");
  return framing;
}

Result<void> encode_interim(int status, const Headers& headers, std::string& out) {
  if (status < 100 || status > 199 || status == 101) return refused("its status is not that of an interim response");
  const Result<Noted> noted = note_all(&headers);
  if (!noted) return noted.error();
  if (noted->length || noted->close || noted->upgrade) {
    return refused("an interim response has no Content-Length, Connection or Upgrade");
  }
  Pen pen(out, most_of_ours + bytes_of(&headers));
  write_status_line(pen, status);
  write_headers(pen, headers);
  pen.text("\r\n");
  return {};
}

Result<void> encode_switch(std::string_view protocol, const Headers& headers, std::string_view date, std::string& out) {
  if (!is_token(protocol)) return refused("the protocol to switch to is not a token");
  if (!is_field_value(date)) return refused_field("Date", "has a value with a control character");
  const Result<Noted> noted = note_all(&headers);
  if (!noted) return noted.error();
  if (noted->length || noted->close || noted->upgrade) {
    return refused("a 101 has no Content-Length, and its Connection and Upgrade are set by the transport");
  }
  Pen pen(out, most_of_ours + date.size() + protocol.size() + bytes_of(&headers));
  write_status_line(pen, 101);
  if (!noted->date && !date.empty()) pen.field("Date", date);
  pen.field("Upgrade", protocol).text("Connection: Upgrade\r\n");
  write_headers(pen, headers);
  pen.text("\r\n");
  return {};
}

}  // namespace trunkline::http1
