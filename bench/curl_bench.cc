// libcurl under the bench's command line, used as its own examples do.
//   easy          CONCURRENCY threads, one easy handle each, reused
//   easy-fresh    a new easy handle for each request
//   easy-share    a new easy handle for each request, on a share of connections, TLS sessions and names. libcurl
//                 allows connections to be shared within one thread only, so each thread has its own
//   easy-session  the same, but only TLS sessions are shared
//   multi         one thread, curl_multi_socket_action on epoll
//   idle          TOTAL idle connections, and the memory they take
// Environment: CA, CERT, KEY (files), BODY, WARM, HOLD; TARGETS=n (multi only) as in measure.h; STREAMS=n: HTTP/2 over
// TLS where the server speaks it, with at most n streams on a connection. (Not in clear: Debian 12's libcurl, 7.88,
// fails when it uses such a connection again.)
#include <curl/curl.h>
#include <malloc.h>
#include <sys/epoll.h>

#include <atomic>
#include <memory>
#include <thread>

#include "measure.h"

namespace {

using bench::Arguments;
using bench::Clock;
using bench::Samples;

struct Settings {
  std::string url;
  std::vector<std::string> urls = bench::target_urls(url);
  std::string body = bench::request_body();
  std::string ca = bench::setting("CA"), certificate = bench::setting("CERT"), key = bench::setting("KEY");
  long streams = bench::setting("STREAMS", 0);
};

std::size_t take(char* bytes, std::size_t size, std::size_t count, void* into) {
  static_cast<std::string*>(into)->append(bytes, size * count);
  return size * count;
}

CURL* make_handle(const Settings& settings, std::string& response) {
  CURL* handle = curl_easy_init();
  curl_easy_setopt(handle, CURLOPT_URL, settings.urls.front().c_str());
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &response);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_NOPROXY, "*");
  if (settings.streams > 0) {
    curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
    curl_easy_setopt(handle, CURLOPT_PIPEWAIT, 1L);  // for a place on a connection, instead of dialling another
  }
  if (!settings.body.empty()) {
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, static_cast<long>(settings.body.size()));
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, settings.body.data());
  }
  if (!settings.ca.empty()) curl_easy_setopt(handle, CURLOPT_CAINFO, settings.ca.c_str());
  if (!settings.certificate.empty()) {
    curl_easy_setopt(handle, CURLOPT_SSLCERT, settings.certificate.c_str());
    curl_easy_setopt(handle, CURLOPT_SSLKEY, settings.key.c_str());
  }
  return handle;
}

bool is_good(CURL* handle, CURLcode code) {
  static std::atomic<bool> told{false};
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  if (code == CURLE_OK && status == 200) return true;
  if (!told.exchange(true)) std::fprintf(stderr, "first failure: %s, status %ld\n", curl_easy_strerror(code), status);
  return false;
}

// What one thread keeps from request to request: a handle, or a share, or nothing. The measurement ends before its
// destructor, so that the runner can count the sockets.
class Caller {
 public:
  Caller(const Settings& settings, const std::string& mode) : settings_(settings) {
    if (mode == "easy") kept_ = make_handle(settings, response_);
    if (mode == "easy-share") share({CURL_LOCK_DATA_CONNECT, CURL_LOCK_DATA_SSL_SESSION, CURL_LOCK_DATA_DNS});
    if (mode == "easy-session") share({CURL_LOCK_DATA_SSL_SESSION});
  }
  bool request() {
    response_.clear();
    if (kept_) return is_good(kept_, curl_easy_perform(kept_));
    CURL* handle = make_handle(settings_, response_);
    if (share_) curl_easy_setopt(handle, CURLOPT_SHARE, share_);
    const bool good = is_good(handle, curl_easy_perform(handle));
    curl_easy_cleanup(handle);
    return good;
  }

 private:
  void share(std::initializer_list<curl_lock_data> what) {
    share_ = curl_share_init();
    for (const auto data : what) curl_share_setopt(share_, CURLSHOPT_SHARE, data);
  }

  const Settings& settings_;
  std::string response_;
  CURL* kept_ = nullptr;
  CURLSH* share_ = nullptr;
};

long run_easy(std::vector<std::unique_ptr<Caller>>& callers, Samples& samples) {
  std::atomic<long> next{0}, errors{0};
  std::vector<std::thread> threads;
  for (auto& caller : callers) {
    threads.emplace_back([&, caller = caller.get()] {
      for (long request; (request = next++) < samples.total();) {
        const auto started = Clock::now();
        if (!caller->request()) ++errors;
        samples.set(request, started);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  return errors;
}

class Multi {
 public:
  Multi(const Settings& settings, long concurrency, long connections) : settings_(settings), multi_(curl_multi_init()) {
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, connections);
    if (settings.streams > 0) curl_multi_setopt(multi_, CURLMOPT_MAX_CONCURRENT_STREAMS, settings.streams);
    for (long i = 0; i < concurrency; ++i) {
      auto& exchange = *exchanges_.emplace_back(std::make_unique<Exchange>());
      exchange.handle = make_handle(settings, exchange.response);
      curl_easy_setopt(exchange.handle, CURLOPT_PRIVATE, &exchange);
    }
  }
  void use_fresh_connections() {
    for (auto& exchange : exchanges_) curl_easy_setopt(exchange->handle, CURLOPT_FRESH_CONNECT, 1L);
  }

  long run(Samples& samples) {
    long started = 0, done = 0, errors = 0;
    const auto start = [&](Exchange& exchange) {
      if (started == samples.total()) return;
      exchange.request = started++;
      exchange.response.clear();
      if (const auto& urls = settings_.urls; urls.size() > 1) {
        const std::string& url = urls[static_cast<std::size_t>(exchange.request) % urls.size()];
        curl_easy_setopt(exchange.handle, CURLOPT_URL, url.c_str());
      }
      exchange.started = Clock::now();
      curl_multi_add_handle(multi_, exchange.handle);
    };
    for (auto& exchange : exchanges_) start(*exchange);
    while (done < samples.total()) {
      turn();
      int left = 0;
      while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
        CURL* handle = message->easy_handle;
        const CURLcode code = message->data.result;
        Exchange* exchange = nullptr;
        curl_easy_getinfo(handle, CURLINFO_PRIVATE, &exchange);
        errors += !is_good(handle, code);
        samples.set(exchange->request, exchange->started);
        ++done;
        curl_multi_remove_handle(multi_, handle);
        start(*exchange);
      }
    }
    return errors;
  }

 private:
  struct Exchange {
    CURL* handle = nullptr;
    std::string response;
    long request = 0;
    Clock::time_point started;
  };

  static int on_socket(CURL*, curl_socket_t fd, int what, void* self, void* known) {
    auto& multi = *static_cast<Multi*>(self);
    epoll_event event{};
    event.data.fd = fd;
    event.events = ((what & CURL_POLL_IN) ? EPOLLIN : 0u) | ((what & CURL_POLL_OUT) ? EPOLLOUT : 0u);
    if (what == CURL_POLL_REMOVE) {
      epoll_ctl(multi.epoll_, EPOLL_CTL_DEL, fd, nullptr);
    } else if (epoll_ctl(multi.epoll_, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0) {
      epoll_ctl(multi.epoll_, EPOLL_CTL_MOD, fd, &event);
    }
    curl_multi_assign(multi.multi_, fd, what == CURL_POLL_REMOVE ? nullptr : self);
    return 0;
  }
  static int on_timer(CURLM*, long milliseconds, void* self) {
    auto& multi = *static_cast<Multi*>(self);
    multi.armed_ = milliseconds >= 0;
    if (multi.armed_) multi.due_ = Clock::now() + std::chrono::milliseconds(milliseconds);
    return 0;
  }
  int milliseconds_left() const {
    if (!armed_) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(due_ - Clock::now()).count();
    return static_cast<int>(std::max<long>(0, left));
  }
  void turn() {
    epoll_event events[256];
    const int ready = epoll_wait(epoll_, events, 256, milliseconds_left());
    for (int i = 0; i < ready; ++i) {
      const auto bits = events[i].events;
      const int action =
          ((bits & (EPOLLIN | EPOLLHUP | EPOLLERR)) ? CURL_CSELECT_IN : 0) | ((bits & EPOLLOUT) ? CURL_CSELECT_OUT : 0);
      curl_multi_socket_action(multi_, events[i].data.fd, action, &running_);
    }
    if (!armed_ || Clock::now() < due_) return;
    armed_ = false;
    curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running_);
  }

  const Settings& settings_;
  CURLM* multi_;
  int epoll_ = epoll_create1(0);
  int running_ = 0;
  bool armed_ = false;
  Clock::time_point due_;
  std::vector<std::unique_ptr<Exchange>> exchanges_;
};

void measure_easy(const Settings& settings, const Arguments& arguments) {
  std::vector<std::unique_ptr<Caller>> callers;
  bench::measure(arguments.total, [&](Samples& samples) {
    while (static_cast<long>(callers.size()) < arguments.concurrency) {
      callers.push_back(std::make_unique<Caller>(settings, arguments.mode));
    }
    return run_easy(callers, samples);
  });
  bench::hold();
}

void measure_multi(const Settings& settings, const Arguments& arguments) {
  std::unique_ptr<Multi> multi;
  bench::measure(arguments.total, [&](Samples& samples) {
    if (!multi)
      multi = std::make_unique<Multi>(settings, arguments.concurrency,
                                      arguments.concurrency + static_cast<long>(settings.urls.size()) + 8);
    return multi->run(samples);
  });
  bench::hold();
}

void measure_idle(const Settings& settings, const Arguments& arguments) {
  Multi multi(settings, 4, arguments.total + 8);
  Samples warm(1000), samples(arguments.total);
  long errors = multi.run(warm);
  const long before_kb = bench::resident_kb();
  multi.use_fresh_connections();
  errors += multi.run(samples);
  const long after_kb = bench::resident_kb();
  malloc_trim(0);
  bench::print_memory(arguments.total, errors, before_kb, after_kb, bench::resident_kb());
  bench::hold();
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = bench::parse_arguments(argc, argv, "easy easy-fresh easy-share easy-session multi idle");
  curl_global_init(CURL_GLOBAL_ALL);
  const Settings settings{.url = arguments.url};
  if (arguments.mode == "multi") {
    measure_multi(settings, arguments);
  } else if (arguments.mode == "idle") {
    measure_idle(settings, arguments);
  } else {
    measure_easy(settings, arguments);
  }
}
