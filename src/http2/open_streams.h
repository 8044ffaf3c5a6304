// The open streams of a session: a list through the streams themselves, which costs no allocation, and the way from a
// stream's number to the stream.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>

namespace trunkline::http2 {

// A stream has id_, open_, previous_ and next_, and is a friend of this.
template <class Stream>
class OpenStreams {
 public:
  int count() const { return count_; }
  Stream* first() const { return first_; }
  static Stream* behind(const Stream& stream) { return stream.next_; }

  void add(Stream& stream) {
    stream.open_ = true;
    stream.previous_ = nullptr;
    stream.next_ = first_;
    if (first_ != nullptr) first_->previous_ = &stream;
    first_ = &stream;
    ++count_;
  }
  void remove(Stream& stream) {
    (stream.previous_ != nullptr ? stream.previous_->next_ : first_) = stream.next_;
    if (stream.next_ != nullptr) stream.next_->previous_ = stream.previous_;
    stream.previous_ = stream.next_ = nullptr;
    stream.open_ = false;
    if (found_ == &stream) found_ = nullptr;
    --count_;
  }
  // Frames of this one come next.
  void expect(Stream& stream) { found_ = &stream; }
  // Null: it is not open, or nghttp2 was told to forget whose it is.
  Stream* find(nghttp2_session* session, std::int32_t id) {
    if (found_ != nullptr && found_->id_ == id) return found_;
    auto* const stream = static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id));
    if (stream != nullptr) found_ = stream;
    return stream;
  }

 private:
  Stream* first_ = nullptr;
  Stream* found_ = nullptr;  // the last one looked up: frames of one stream often follow each other
  int count_ = 0;
};

}  // namespace trunkline::http2
