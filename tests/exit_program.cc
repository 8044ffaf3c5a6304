// Ends in awkward moments, as told: exit_program MODE URL. exit_test.cc runs it and looks at how it ended.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include <trunkline/trunkline.hpp>

using namespace trunkline;

namespace {

std::string& url = *new std::string;  // for threads that go on while statics are destroyed

Options options() {
  return Options().derive([](Options& o) { o.tls.insecure_skip_verify = true; });
}

// Made before the library's own statics, and so destroyed after them.
struct Late {
  bool armed = false;
  std::shared_ptr<Transport> transport;
  ~Late() {
    if (!armed) return;
    const Client client(options());
    const auto reply = client.send(get(url).total_timeout(std::chrono::seconds(5)));
    std::printf("late request: %s\n", reply ? "answered" : reply.error().describe().c_str());
  }
} late;

Client& static_client() {
  static Client client{Transport::shared(options())};
  return client;
}

void say_ready() {
  std::puts("ready");
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string mode = argv[1];
  url = argv[2];
  if (mode == "static_clients") {
    static_client();
    static Client isolated{Transport::create(options())};
    late.transport = Transport::create(options());
    if (!static_client().get(url) || !isolated.get(url) || !Client(late.transport).get(url)) return 3;
  } else if (mode == "requests_in_flight") {
    for (int i = 0; i < 10; ++i) static_client().start(get(url), [](const Result<Response>&) {});
    std::thread([client = static_client()] { (void)client.get(url); }).detach();
    say_ready();
    std::getchar();  // until the server has them
  } else if (mode == "stream_open") {
    static Result<ResponseStream> stream = static_client().open(get(url));
    if (!stream) return 3;
  } else if (mode == "exit_in_a_callback") {
    static_client().start(get(url), [](const Result<Response>&) { std::exit(0); });
    std::this_thread::sleep_for(std::chrono::minutes(1));
    return 4;
  } else if (mode == "used_in_a_late_destructor") {
    if (!static_client().get(url)) return 3;
    late.armed = true;
  } else if (mode == "exit_while_others_call") {
    for (int i = 0; i < 8; ++i) {
      std::thread([client = static_client()] {
        for (;;) (void)client.get(url);
      }).detach();
    }
    for (int i = 0; i < 50; ++i) {
      if (!static_client().get(url)) return 3;
    }
  } else if (mode == "never_used") {
    static_client();
  } else {
    return 2;
  }
  return 0;
}
