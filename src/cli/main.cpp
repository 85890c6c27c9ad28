#include <unistd.h>

#include <csignal>
#include <iostream>

#include "base/cpu.h"
#include "cli/verb.h"

namespace {

viva::Cancel interrupted{false};
static_assert(viva::Cancel::is_always_lock_free);

void interrupt(int) { interrupted = true; }

void catch_signals() {
  struct sigaction action = {};
  action.sa_handler = interrupt;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  // A reader that went away is seen where the output is flushed; work that writes files ends first.
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, nullptr);
  sigaction(SIGXFSZ, &ignore, nullptr);  // a limit on sizes of files is an error of writing
}

}  // namespace

int main(int argc, char** argv) {
  catch_signals();
  viva::Session session{std::cout, std::cerr, interrupted, isatty(STDERR_FILENO) == 1, viva::file_openers()};
  return viva::run_cli(argc, argv, session);
}
