// A stream whose first bytes have been read already: what a far end that speaks first sent right behind a proxy's
// answer.
#pragma once

#include <memory>
#include <string>

#include "net/stream.h"

namespace trunkline::net {

// At most Scratch::size bytes. They come first, in one read.
std::unique_ptr<Stream> make_prefixed_stream(std::string prefix, std::unique_ptr<Stream> rest);

}  // namespace trunkline::net
