// The texts of --help that are not lists of flags.
#pragma once

#include <string>

namespace trunkline::cli {

std::string main_help();
std::string fetch_help();
std::string url_help();
std::string load_help();
std::string metrics_help();
std::string scrape_help();
std::string metrics_check_help();

}  // namespace trunkline::cli
