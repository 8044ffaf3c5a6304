// What a user writes first: a client on the shared transport. Port 1 refuses, so that this needs no network and still
// goes all the way through the library.
#include <cstdio>

#include <trunkline/trunkline.hpp>

int main() {
  trunkline::Client client{trunkline::Transport::shared(trunkline::Options::standard())};
  const auto reply = client.get("http://127.0.0.1:1/");
  if (reply) return 1;
  std::printf("%s\n", reply.error().describe().c_str());
  return 0;
}
