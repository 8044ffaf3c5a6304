// A pool of connections under one set of options. Equal options give the same transport, however often and from
// however many threads they are asked for.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <trunkline/connections.hpp>
#include <trunkline/options.hpp>
#include <trunkline/round_tripper.hpp>
#include <trunkline/stats.hpp>

namespace trunkline {

// One option in which two sets of options differ, for people. Of a secret it says whether it is set, and never more.
struct OptionChange {
  std::string option;  // "tls.ca_file"
  std::string a;       // its values; "unset" where there is none
  std::string b;
  bool splits_sockets = true;  // or only the handles
};

class Transport : public RoundTripper {
 public:
  // From the process-wide cache. Never null: when the options cannot be used (a certificate file is missing), every
  // request fails with the reason, and so does ready().
  static std::shared_ptr<Transport> shared(const Options& options = Options());
  // A pool of its own, shared with nobody. Its connections close with the last handle.
  static std::shared_ptr<Transport> create(const Options& options = Options());

  // All transports that shared() has given together: the requests of each, also of those that are gone, and their pool.
  static Stats shared_stats();
  // The connections of their pool, one by one.
  static ConnectionList shared_connections(const ConnectionQuery& query = ConnectionQuery());

  // Which options keep two of its pools' routes to one host apart, by their RouteStats::key: what explain() says of the
  // options behind them, without what splits no sockets. An error when no transport of one of them is left.
  static Result<std::vector<OptionChange>> explain_shared(const std::string& key_a, const std::string& key_b);

  // Null, or the shared transport without the client certificate and the server name.
  std::shared_ptr<RoundTripper> elsewhere() override;

  virtual Result<void> ready() const = 0;
  virtual const Options& options() const = 0;
  // Hex SHA-256 of everything in the options: the identity that shared() uses. Holds no secret.
  virtual const std::string& fingerprint() const = 0;
  virtual Stats stats() const = 0;
  // The open connections of the pool that it shares, each with its age, what it carries and why it was dialled. From
  // any thread, at any time; it costs those who send requests no more than stats() does.
  virtual ConnectionList connections(const ConnectionQuery& query = ConnectionQuery()) const = 0;

  // Opens a connection to where that URL leads, for a request that is known to come soon: unless one is open already or
  // on its way. True: it dials; what becomes of that shows in the stats, and to who asks next. It never waits in line,
  // and takes no connection's place: where a limit is reached, or dials have just failed, it does nothing.
  virtual bool warm(const std::string& url) = 0;

  // Closes what is idle to that host, or through that proxy ("" : to all), and lets what is busy finish without being
  // reused. Its addresses are looked up anew.
  virtual void invalidate(const std::string& host = {}) = 0;
  // Requests from now on fail with `transport_closed`. Waits until those under way are done and the rest closed,
  // `limit` at most; true when so. A shared transport leaves the cache: the next shared() makes a new one.
  virtual bool drain(Duration limit) = 0;
};

// Why two sets of options do not share sockets, or a transport: the names of the fields that differ.
struct OptionsDifference {
  std::vector<std::string> wire;    // these split the sockets
  std::vector<std::string> handle;  // these split only the handles
};
OptionsDifference compare(const Options& a, const Options& b);
// The same with their values, in the order of Options.
std::vector<OptionChange> explain(const Options& a, const Options& b);

}  // namespace trunkline
