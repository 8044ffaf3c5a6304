// A diagnosis for people and for programs.
#pragma once

#include <string>

#include "doctor_trunkline.h"
#include "services/doctor/diagnose.h"

namespace trunkline::cli {

// `trunkline` is null when none was found.
std::string doctor_table(const doctor::Diagnosis& diagnosis, const TransportReport* trunkline);
std::string doctor_json(const doctor::Diagnosis& diagnosis, const TransportReport* trunkline);  // one line

}  // namespace trunkline::cli
