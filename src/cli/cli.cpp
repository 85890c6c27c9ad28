#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdlib>
#include <iostream>
#include <new>
#include <ostream>
#include <thread>

#include "base/bytes.h"
#include "base/error.h"
#include "cli/verb.h"

namespace viva {
namespace {

int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage:
      return 2;
    case ErrorKind::input:
      return 3;
    case ErrorKind::unsupported:
      return 4;
    case ErrorKind::cancelled:
      return 130;
    case ErrorKind::internal:
      break;
  }
  return 70;
}

int report_error(Session& s, std::string_view text, int code) {
  // Several problems are several lines; each is made printable by itself.
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    s.err << "viva: " << printable(text.substr(at, end - at)) << '\n';
    at = end + 1;
  }
  return code;
}

// Whether standard output is a pipe that nobody reads any more, as after `| head -1`.
bool reader_left(const Session& s) {
  if (&s.out != &std::cout) return false;
  pollfd out{STDOUT_FILENO, POLLOUT, 0};
  return poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

// Calls f and turns what it throws into a line and the exit code.
template <class F> int guarded(Session& s, F&& f) {
  try {
    const int code = f();
    s.out.flush();
    if (!s.out && reader_left(s)) return 141;  // as a shell counts it: 128 + SIGPIPE
    if (!s.out) throw input_error("standard output: cannot be written");
    return code;
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::internal)
      return report_error(s, fmt::format("internal error, a defect in Viva: {}", e.what()), 70);
    return report_error(s, e.what(), exit_code(e.kind()));
  } catch (const std::bad_alloc&) {
    return report_error(s, "not enough memory; close other programs or give a smaller model", 3);
  } catch (const std::exception& e) {
    return report_error(s, fmt::format("internal error, a defect in Viva: {}", e.what()), 70);
  }
}

// "--budget: At Most 1 required but received 2", "--seed: 1 required N missing".
std::string counted_wrongly(const std::string& what) {
  if (const size_t at = what.find(": At Most 1 required"); at != what.npos)
    return what.substr(0, at) + " stands more than once: give it once";
  if (const size_t at = what.find(": 1 required "); at != what.npos)
    return what.substr(0, at) + " has no value: give one";
  return what;
}

int parse_failure(Session& s, CLI::App& app, const CLI::ParseError& e) {
  if (e.get_exit_code() == 0) return app.exit(e, s.out, s.err);  // --help, --version
  std::string verb;
  for (const CLI::App* sub : app.get_subcommands()) verb = " " + sub->get_name();
  std::string what = e.what();
  constexpr std::string_view raw = "Could not convert: ";
  if (const auto* bad = dynamic_cast<const CLI::ConversionError*>(&e); bad && what.starts_with(raw))
    what = what.substr(raw.size()) + ": is no number of the kind that this option takes";
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&e)) what = counted_wrongly(what);
  return report_error(s, fmt::format("{}; see viva{} --help", what.substr(0, what.find('\n')), verb), 2);
}

}  // namespace

std::string_view version() { return VIVA_VERSION; }

namespace {

// In $'…' every byte that is not plain ASCII or well-formed UTF-8 is an escape, so that the command survives copying.
std::string dollar_quoted(std::string_view word) {
  std::string s = "$'";
  for (const char c : word) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\'' || c == '\\') s += std::string("\\") + c;
    else if (byte < 0x20 || byte >= 0x7f) s += fmt::format("\\x{:02x}", byte);
    else s += c;
  }
  return s + "'";
}

}  // namespace

std::string shell_quoted(std::string_view word) {
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,=+@%";
  if (!word.empty() && word.find_first_not_of(plain) == std::string_view::npos) return std::string(word);
  if (printable(word) != word) return dollar_quoted(word);
  std::string s = "'";
  for (const char c : word) {
    if (c == '\'') s += "'\\''";
    else s += c;
  }
  return s + "'";
}

int thread_count(std::optional<int> option) {
  const auto check = [](int n, std::string_view name, std::string_view text) {
    if (n < 1 || n > 1024) throw usage_error("{} {}: write a number from 1 to 1024", name, text);
    return n;
  };
  if (option) return check(*option, "--threads", std::to_string(*option));
  if (const char* text = std::getenv("VIVA_THREADS"); text && *text) {
    const std::string_view t = text;
    int n = 0;
    const auto [end, error] = std::from_chars(t.data(), t.data() + t.size(), n);
    return check(error == std::errc() && end == t.data() + t.size() ? n : 0, "VIVA_THREADS", t);
  }
  return static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 1024u));
}

int run_cli(int argc, const char* const* argv, Session& session) {
  CLI::App app("Viva: programs as models, questions as transformations, and a referee for networks.", "viva");
  app.set_version_flag("--version", "viva " + std::string(version()));
  app.require_subcommand(1);
  app.footer(
      "viva VERB --help shows the options of a verb and an example.\nExit codes: 0 done, 1 the answer is no, 2 usage, "
      "3 input or output, 4 unsupported, 70 internal, 130 interrupted (Ctrl-C, SIGTERM), 141 the reader of the output "
      "left.");
  std::vector<std::function<int(Session&)>> runs;
  for (const Verb* v : verbs()) {
    CLI::App* sub = app.add_subcommand(std::string(v->name), std::string(v->summary));
    sub->footer(fmt::format("Example:\n  {}", v->example));
    runs.push_back(v->declare(*sub));
  }
  return guarded(session, [&] {
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& e) { return parse_failure(session, app, e); }
    for (size_t i = 0; i < runs.size(); ++i) {
      if (app.got_subcommand(std::string(verbs()[i]->name))) return runs[i](session);
    }
    throw internal_error("run_cli: no verb");
  });
}

}  // namespace viva
