// What docs/proxies.md shows, as a program: proxies PROXY URL. tests/examples_test.py runs it.
#include <cstdio>
#include <cstdlib>
#include <string>

#include <trunkline/trunkline.hpp>

using namespace trunkline;

namespace {

void print(const char* what, const Result<Response>& reply) {
  std::printf("%s: %s\n", what, reply ? reply->body.c_str() : reply.error().describe().c_str());
}

void one_proxy(const std::string& proxy, const std::string& url) {
  Options options = Options::executor();
  options.proxy = proxy;  // "http://user:password@proxy.example:3128"
  options.no_proxy = "internal.example, 10.0.0.0/8, [::1]:8080";
  const Client client(options);
  print("one proxy", client.get(url));
}

void a_proxy_for_each_credential(const std::string& proxy, const std::string& url) {
  Way way;
  way.credential_proxy = proxy;  // of the credential that this call uses; "direct": none
  way.configured_proxy = "http://configured.example:3128";
  const Client client(choose(way));  // again for each call: it costs no connection
  print("a credential's proxy", client.get(url));
}

void apart_by_tenant(const std::string& proxy, const std::string& url) {
  Options options = Options::executor();
  options.isolation = "tenant 17";  // shares no connection with another tenant's
  const Client client(choose({proxy, "", nullptr}, options));
  print("apart", client.get(url));
}

void from_the_environment(const std::string& url) {
  const Result<Url> parsed = Url::parse(url);
  if (!parsed) return;
  Options options;
  options.proxy = environment_proxy(*parsed);  // http_proxy, https_proxy, all_proxy, no_proxy
  print("from the environment", Client(options).get(url));
}

void when_it_cannot_be_used(const std::string& url) {
  Options options;
  options.proxy = "socks5h://127.0.0.1:1";
  const Result<Response> reply = Client(options).get(url);
  if (!reply && reply.error().kind == ErrorKind::unreachable) {
    // Nothing was sent to the target: error().maybe_processed is `no`.
    print("when it cannot be used", reply);
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return std::fprintf(stderr, "usage: proxies PROXY URL\n"), EXIT_FAILURE;
  const std::string proxy = arguments[1];
  const std::string url = arguments[2];
  one_proxy(proxy, url);
  a_proxy_for_each_credential(proxy, url);
  apart_by_tenant(proxy, url);
  from_the_environment(url);
  when_it_cannot_be_used(url);
  return EXIT_SUCCESS;
}
