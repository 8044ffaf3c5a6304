#include "services/doctor/diagnose.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace trunkline::doctor {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Endpoint server{Address::v4({10, 0, 0, 2}), 8080};
const Endpoint server_here{Address::v4({127, 0, 0, 1}), 8080};

Socket socket_to(const Endpoint& destination, std::uint16_t port, SocketState state, std::uint64_t inode = 0,
                 milliseconds left = milliseconds(0)) {
  Socket socket;
  const bool here = destination.address.is_loopback();
  socket.local = {here ? destination.address : Address::v4({10, 0, 0, 1}), port};
  socket.remote = destination;
  socket.state = state;
  socket.inode = inode;
  socket.time_left = left;
  return socket;
}

Socket other_end(Socket socket) {
  std::swap(socket.local, socket.remote);
  return socket;
}

Socket listener(std::uint16_t port) {
  Socket socket;
  socket.local.port = port;
  socket.state = SocketState::listening;
  return socket;
}

class Diagnose : public testing::Test {
 protected:
  Diagnose() {
    seen_.before.at = TimePoint(seconds(100));
    seen_.after.at = TimePoint(seconds(102));
    seen_.ports = read_port_facts({.range = "32768 60999", .tw_reuse = "0"});
  }

  void owner(std::uint64_t inode, int pid, const std::string& name, int parent = 1,
             const std::string& parent_name = "init") {
    seen_.owners[inode] = pid;
    seen_.processes[pid] = {pid, parent, name, "", parent_name};
  }
  // `count` connections that were dialled and closed between the looks.
  void churn(const Endpoint& destination, int count, std::uint16_t first_port = 33000) {
    for (int i = 0; i < count; ++i) {
      seen_.after.sockets.push_back(socket_to(destination, static_cast<std::uint16_t>(first_port + i),
                                              SocketState::time_wait, 0, milliseconds(59000)));
    }
  }
  const Finding* found(const std::string& code) {
    diagnosis_ = diagnose(seen_);
    const auto at = std::find_if(diagnosis_.findings.begin(), diagnosis_.findings.end(),
                                 [&](const Finding& finding) { return finding.code == code; });
    return at == diagnosis_.findings.end() ? nullptr : &*at;
  }
  static bool says(const Finding* finding, const std::string& text) {
    return finding != nullptr && finding->sentence.find(text) != std::string::npos;
  }

  Observation seen_;
  Diagnosis diagnosis_;
};

TEST_F(Diagnose, names_who_dials_for_every_call_with_the_arithmetic) {
  churn(server, 200);
  seen_.sightings.push_back(socket_to(server, 33000, SocketState::established, 71));
  owner(71, 4711, "python3");
  const Finding* finding = found("churn");
  ASSERT_NE(finding, nullptr);
  EXPECT_EQ(finding->destination, "10.0.0.2:8080");
  EXPECT_EQ(finding->pids, std::vector<int>{4711});
  EXPECT_TRUE(says(finding, "python3 (pid 4711) dials 10.0.0.2:8080 100 times a second")) << finding->sentence;
  EXPECT_TRUE(says(finding, "200 new in 2.0 s, 200 of them closed again")) << finding->sentence;
  EXPECT_TRUE(says(finding, "28,232 ports / 60 s = 470 dials a second")) << finding->sentence;
  EXPECT_TRUE(says(finding, "this is 21 % of it")) << finding->sentence;
  EXPECT_EQ(finding->severity, Severity::warning);
}

TEST_F(Diagnose, a_rate_near_the_ceiling_is_critical) {
  churn(server, 900);
  const Finding* finding = found("churn");
  ASSERT_NE(finding, nullptr);
  EXPECT_EQ(finding->severity, Severity::critical);
  EXPECT_TRUE(says(finding, "a program whose name could not be seen")) << finding->sentence;
}

TEST_F(Diagnose, connections_that_stay_are_no_churn) {
  for (std::uint16_t i = 0; i < 50; ++i) {
    const Socket open = socket_to(server, static_cast<std::uint16_t>(33000 + i), SocketState::established, 100U + i);
    seen_.before.sockets.push_back(open);
    seen_.after.sockets.push_back(open);
  }
  EXPECT_TRUE(diagnose(seen_).findings.empty());
  // A start: fifty new ones, all of them kept.
  seen_.before.sockets.clear();
  const Diagnosis started = diagnose(seen_);
  EXPECT_TRUE(started.findings.empty());
  EXPECT_EQ(started.uses.at(0).dialled, 50U);
  EXPECT_EQ(started.uses.at(0).brief, 0U);
}

TEST_F(Diagnose, what_was_closed_before_the_first_look_is_not_counted_as_a_dial) {
  churn(server, 300);
  seen_.before.sockets = seen_.after.sockets;
  for (Socket& socket : seen_.before.sockets) socket.time_left += seconds(2);
  EXPECT_EQ(found("churn"), nullptr);
  EXPECT_EQ(diagnosis_.dials, 0U);
  EXPECT_EQ(diagnosis_.uses.at(0).state(SocketState::time_wait), 300U);
}

TEST_F(Diagnose, a_port_that_was_taken_again_counts_as_a_dial) {
  churn(server, 20);
  for (Socket socket : seen_.after.sockets) {
    socket.time_left = milliseconds(30000);
    seen_.before.sockets.push_back(socket);
  }
  EXPECT_NE(found("churn"), nullptr);
  EXPECT_EQ(diagnosis_.dials, 20U);
  // And one that was open with one inode and is open with another.
  seen_.before.sockets = {socket_to(server, 40000, SocketState::established, 1)};
  seen_.after.sockets = {socket_to(server, 40000, SocketState::established, 2)};
  EXPECT_EQ(diagnose(seen_).dials, 1U);
}

TEST_F(Diagnose, a_connection_that_ended_in_the_interval_is_no_dial) {
  seen_.before.sockets = {socket_to(server, 40000, SocketState::established, 1)};
  seen_.after.sockets = {socket_to(server, 40000, SocketState::time_wait, 0, milliseconds(59000))};
  EXPECT_EQ(diagnose(seen_).dials, 0U);
}

TEST_F(Diagnose, both_ends_of_a_connection_on_this_machine_are_one) {
  seen_.before.sockets = {listener(8080)};
  seen_.after.sockets = {listener(8080)};
  for (std::uint16_t i = 0; i < 10; ++i) {
    const Socket socket =
        socket_to(server_here, static_cast<std::uint16_t>(33000 + i), SocketState::established, 100U + i);
    seen_.after.sockets.push_back(other_end(socket));
    seen_.after.sockets.push_back(socket);
  }
  const Diagnosis diagnosis = diagnose(seen_);
  ASSERT_EQ(diagnosis.uses.size(), 1U);
  EXPECT_EQ(diagnosis.uses[0].destination, server_here);
  EXPECT_EQ(diagnosis.uses[0].state(SocketState::established), 10U);
  EXPECT_EQ(diagnosis.uses[0].dialled, 10U);
}

TEST_F(Diagnose, a_server_that_closes_first_keeps_the_time_wait_and_the_client_its_ports) {
  seen_.before.sockets = {listener(8080)};
  churn(server_here, 100);
  for (Socket& socket : seen_.after.sockets) socket = other_end(socket);
  seen_.after.sockets.push_back(listener(8080));
  const Finding* finding = found("churn");
  ASSERT_NE(finding, nullptr);
  EXPECT_EQ(finding->destination, "127.0.0.1:8080");
  EXPECT_TRUE(says(finding, "The other side closes first")) << finding->sentence;
  EXPECT_EQ(diagnosis_.uses.at(0).ports_held, 0U);
  EXPECT_EQ(diagnosis_.uses.at(0).closed_there, 100U);
}

TEST_F(Diagnose, knows_the_accepting_end_of_a_server_that_has_ended) {
  churn(server_here, 3);
  for (Socket& socket : seen_.after.sockets) socket = other_end(socket);
  const Diagnosis diagnosis = diagnose(seen_);
  ASSERT_EQ(diagnosis.uses.size(), 1U);
  EXPECT_EQ(diagnosis.uses[0].destination.port, 8080);
}

TEST_F(Diagnose, processes_that_follow_each_other_are_one_program) {
  churn(server, 60);
  for (int i = 0; i < 3; ++i) {
    seen_.sightings.push_back(socket_to(server, static_cast<std::uint16_t>(33000 + i), SocketState::established,
                                        70U + static_cast<unsigned>(i)));
    owner(70U + static_cast<unsigned>(i), 500 + i, "curl", 77, "bash loop.sh");
  }
  const Finding* finding = found("churn");
  EXPECT_TRUE(says(finding, "curl (one process after another, started by bash loop.sh, pid 77) dials"))
      << (finding ? finding->sentence : "");
}

TEST_F(Diagnose, a_process_that_was_asked_for_is_shown_alone_and_with_its_children) {
  churn(server, 60);
  const Endpoint other{Address::v4({10, 0, 0, 3}), 443};
  churn(other, 60);
  seen_.sightings.push_back(socket_to(server, 33000, SocketState::established, 70));
  owner(70, 501, "curl", 77, "bash");
  seen_.sightings.push_back(socket_to(other, 33000, SocketState::established, 71));
  owner(71, 900, "wget", 33, "sh");
  for (const int asked : {501, 77}) {
    seen_.only = asked;
    const Diagnosis diagnosis = diagnose(seen_);
    ASSERT_EQ(diagnosis.uses.size(), 1U) << asked;
    EXPECT_EQ(diagnosis.uses[0].destination, server);
  }
}

TEST_F(Diagnose, counts_the_ports_that_one_destination_takes_from_one_address) {
  seen_.ports = read_port_facts({.range = "33000 33099", .tw_reuse = "0"});
  churn(server, 60);
  Socket from_elsewhere = socket_to(server, 33001, SocketState::established, 5);
  from_elsewhere.local.address = Address::v4({10, 0, 0, 9});
  seen_.after.sockets.push_back(from_elsewhere);
  seen_.after.sockets.push_back(socket_to(server, 20000, SocketState::established, 6));  // no port of the range
  seen_.before.sockets = seen_.after.sockets;
  for (Socket& socket : seen_.before.sockets) socket.time_left += seconds(2);
  const Finding* finding = found("ports_low");
  ASSERT_NE(finding, nullptr);
  EXPECT_EQ(diagnosis_.uses.at(0).ports_held, 60U);
  EXPECT_EQ(diagnosis_.uses.at(0).source, "10.0.0.1");
  EXPECT_TRUE(says(finding, "Of 100 local ports, 60 (60 %) are taken towards 10.0.0.2:8080 from 10.0.0.1"))
      << finding->sentence;
}

TEST_F(Diagnose, ports_that_the_kernel_gives_back_early_are_not_taken) {
  seen_.ports = read_port_facts({.range = "33000 33099", .tw_reuse = "1"});
  churn(server, 50);                                                                  // one second ago
  for (Socket& socket : seen_.after.sockets) socket.time_left = milliseconds(58500);  // a little more
  EXPECT_EQ(diagnose(seen_).uses.at(0).ports_held, 0U);
  for (Socket& socket : seen_.after.sockets) socket.time_left = milliseconds(59500);
  EXPECT_EQ(diagnose(seen_).uses.at(0).ports_held, 50U);
}

TEST_F(Diagnose, sees_what_was_closed_in_the_last_minute_and_by_whom_it_was_not_closed) {
  churn(server, 600);
  seen_.before.sockets = seen_.after.sockets;
  for (Socket& socket : seen_.before.sockets) socket.time_left += seconds(2);
  EXPECT_TRUE(
      says(found("time_wait"), "600 connections to 10.0.0.2:8080 were closed within the last 60 s, 10.0 a second"));
  seen_.after.sockets.clear();
  for (std::uint16_t i = 0; i < 12; ++i) {
    seen_.after.sockets.push_back(
        socket_to(server, static_cast<std::uint16_t>(33000 + i), SocketState::close_wait, 100U + i));
    owner(100U + i, 42, "leaky");
  }
  seen_.before.sockets = seen_.after.sockets;
  EXPECT_TRUE(says(found("not_closed"),
                   "12 connections to 10.0.0.2:8080 were closed by the other side and not by leaky (pid 42)"));
}

TEST_F(Diagnose, sees_dials_without_an_answer_and_dials_without_a_trace) {
  for (std::uint16_t i = 0; i < 6; ++i) {
    seen_.after.sockets.push_back(
        socket_to(server, static_cast<std::uint16_t>(33000 + i), SocketState::syn_sent, 9U + i));
  }
  EXPECT_TRUE(says(found("no_answer"), "6 dials to 10.0.0.2:8080"));
  seen_.before.counters = TcpCounters{1000, 10};
  seen_.after.counters = TcpCounters{1206, 20};
  EXPECT_TRUE(says(found("untraced"), "The kernel counted 206 dials in 2.0 s, 190 more")) << diagnosis_.findings.size();
  EXPECT_NE(found("failed_dials"), nullptr);
  seen_.only = 5;
  EXPECT_EQ(found("untraced"), nullptr) << "what others do is not this process's";
}

TEST_F(Diagnose, clients_from_elsewhere_are_counted_by_our_port) {
  seen_.after.sockets = {listener(80)};
  for (std::uint16_t i = 0; i < 20; ++i) {
    Socket socket = socket_to({Address::v4({10, 0, 7, static_cast<std::uint8_t>(i)}), 50000}, 80,
                              SocketState::established, 30U + i);
    seen_.after.sockets.push_back(socket);
  }
  const Diagnosis diagnosis = diagnose(seen_);
  ASSERT_EQ(diagnosis.uses.size(), 1U);
  EXPECT_TRUE(diagnosis.uses[0].inbound);
  EXPECT_EQ(diagnosis.uses[0].destination.port, 80);
  EXPECT_EQ(diagnosis.uses[0].dialled, 20U);
  EXPECT_EQ(diagnosis.dials, 0U) << "they were dialled elsewhere";
  EXPECT_TRUE(diagnosis.findings.empty());
}

TEST(DoctorCounters, are_found_by_name) {
  const auto counters = read_tcp_counters(
      "Ip: Forwarding\nIp: 1\nTcp: RtoAlgorithm MaxConn ActiveOpens PassiveOpens AttemptFails\nTcp: 1 -1 4711 5 "
      "6\nUdp: A\n");
  ASSERT_TRUE(counters);
  EXPECT_EQ(counters->dials, 4711U);
  EXPECT_EQ(counters->failed_dials, 6U);
  for (const char* text :
       {"", "Tcp: ActiveOpens\n", "Tcp: ActiveOpens\nTcp: 1\n", "Tcp: ActiveOpens AttemptFails\nTcp: x 1\n"}) {
    EXPECT_FALSE(read_tcp_counters(text)) << text;
  }
}

}  // namespace
}  // namespace trunkline::doctor
