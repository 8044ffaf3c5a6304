// Ctrl-C, for commands that then print what they have. The second one ends the process.
#pragma once

namespace trunkline::cli {

// From here on; `and_terminate`: SIGTERM likewise.
void note_interrupts(bool and_terminate = false);
void let_interrupts_end();  // the process, at once, as without us
bool interrupted();

}  // namespace trunkline::cli
