// A verb of the command line: one file, one line in verbs.cpp.
#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/thread_pool.h"
#include "cli/before.h"
#include "examine/examiner.h"

namespace viva {

// What the command line and the data settle about a network.
struct SubjectChoice {
  std::string input = {};            // the one that takes the rows; "" where there is one
  std::string output;                // the one to examine; "" where the file is to say
  std::function<Shape()> row_shape;  // of a stored row; asked only where the file leaves more than the batch open
  Before before = {};                // done to rows before the network
  // One more than the greatest label; asked only where more than one output could be examined.
  std::function<int64_t()> label_count = {};
};

// How verbs get at files; tests put closed forms in their place.
struct Openers {
  std::function<std::unique_ptr<Subject>(const std::string& path, const SubjectChoice& choice)> subject;
  std::function<Shape(const std::string& spec)> row_shape;
  std::function<int64_t(const std::string& spec)> label_count;
  // `spec` as on the command line, `id` "data" or "train"; rows come as the subject takes them.
  std::function<RowSource(const std::string& spec, const std::string& id, const Subject& subject)> data;
};
// Over the importer, the engine and the readers of data sets (open.cpp).
Openers file_openers();

// What a run of the program may touch.
struct Session {
  std::ostream& out;  // results
  std::ostream& err;  // messages
  const Cancel& cancel;
  bool err_is_terminal = false;
  Openers open;
};

struct Verb {
  std::string_view name, summary;
  std::string_view example;  // a command that works, shown by --help
  // Declares the options on `app` and returns what runs once they are parsed; the exit code is its result.
  std::function<int(Session&)> (*declare)(CLI::App& app);
};

std::span<const Verb* const> verbs();

// The whole program: parses, runs a verb and turns every error into one line and its exit code.
int run_cli(int argc, const char* const* argv, Session& session);

std::string_view version();
// A word as the shell needs it: plain, or in single quotes.
std::string shell_quoted(std::string_view word);
// --threads where given, else VIVA_THREADS, else the processors; a usage error outside 1 to 1024.
int thread_count(std::optional<int> option);

}  // namespace viva
