// The whole API but the Asio completion tokens, which are in <trunkline/asio.hpp>.
#pragma once

#include <trunkline/address_guard.hpp>
#include <trunkline/body.hpp>
#include <trunkline/client.hpp>
#include <trunkline/connections.hpp>
#include <trunkline/environment_proxy.hpp>
#include <trunkline/error.hpp>
#include <trunkline/events.hpp>
#include <trunkline/headers.hpp>
#include <trunkline/options.hpp>
#include <trunkline/policy.hpp>
#include <trunkline/request.hpp>
#include <trunkline/resolve.hpp>
#include <trunkline/response.hpp>
#include <trunkline/result.hpp>
#include <trunkline/round_tripper.hpp>
#include <trunkline/stats.hpp>
#include <trunkline/transport.hpp>
#include <trunkline/url.hpp>
#include <trunkline/websocket.hpp>
