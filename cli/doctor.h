// trunkline doctor: who on this machine dials for every call, and what a running Trunkline says of its own dials.
#pragma once

#include "doctor_flags.h"

namespace trunkline::cli {

int run_doctor(const DoctorFlags& flags);  // the exit code

}  // namespace trunkline::cli
