#include "interrupt.h"

#include <csignal>

namespace trunkline::cli {
namespace {

volatile std::sig_atomic_t noted = 0;

void note(int signal) {
  noted = 1;
  std::signal(signal, SIG_DFL);
}

}  // namespace

void note_interrupts(bool and_terminate) {
  std::signal(SIGINT, note);
  if (and_terminate) std::signal(SIGTERM, note);
}

void let_interrupts_end() { std::signal(SIGINT, SIG_DFL); }

bool interrupted() { return noted != 0; }

}  // namespace trunkline::cli
