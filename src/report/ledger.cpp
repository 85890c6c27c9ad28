#include "report/ledger.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/aside.h"
#include "base/bytes.h"
#include "base/error.h"
#include "examine/claims.h"
#include "examine/digits.h"
#include "report/json.h"
#include "report/markup.h"

namespace viva {
namespace {

using Json = nlohmann::ordered_json;

constexpr Comparison ops[] = {Comparison::at_least, Comparison::at_most, Comparison::above, Comparison::below};

Json said_json(const ClaimSaid& s) {
  return {{"quantity", printable(s.quantity)},
          {"name", s.name.empty() ? Json(nullptr) : Json(printable(s.name))},
          {"number", s.number ? Json(*s.number) : Json(nullptr)},
          {"op", to_string(s.op)},
          {"value", s.value}};
}

Json line_of(const Report& r, const Json& report, size_t i, std::string_view date) {
  const Claim& c = r.claims[i];
  Json j;
  j["viva"] = report["viva"];
  j["date"] = date;
  j["claim"] = report["claims"][i]["id"];
  j["statement"] = report["claims"][i]["statement"];
  j["said"] = said_json(said_by(c));
  j["ruling"] = report["claims"][i]["ruling"];
  j["estimate"] = j["n"] = j["interval"] = nullptr;
  for (const Json& f : report["findings"]) {
    if (f["id"] != c.finding) continue;
    j["estimate"] = f["estimate"], j["n"] = f["n"], j["interval"] = f["interval"];
    break;
  }
  j["of"] = static_cast<int64_t>(r.claims.size());  // claims that shared the error rate
  j["models"] = Json::array();
  for (const Json& m : report["models"]) j["models"].push_back(m["files"]);
  j["data"] = Json::array();
  for (const Json& d : report["data"])
    j["data"].push_back(
        Json{{"id", d["id"]}, {"spec", d["spec"]}, {"role", d["role"]}, {"rows", d["rows"]}, {"files", d["files"]}});
  j["claims"] = report["claim_files"];
  j["command"] = report["command"];
  return j;
}

std::string text_at(const Json& j, const char* key) {
  const auto at = j.find(key);
  return at != j.end() && at->is_string() ? at->get<std::string>() : "";
}

std::string number_at(const Json& j, const char* key) {
  const auto at = j.find(key);
  return at != j.end() && at->is_number() ? fmt::format("{:.6g}", at->get<double>()) : "";
}

// The first hash in a list of lists of files, or of objects with files.
std::string first_hash(const Json& j, const char* key) {
  const auto at = j.find(key);
  if (at == j.end() || !at->is_array() || at->empty()) return "";
  const Json* files = &at->at(0);
  if (files->is_object() && files->contains("files")) files = &files->at("files");
  if (!files->is_array() || files->empty() || !files->at(0).is_object()) return "";
  return text_at(files->at(0), "sha256");
}

std::string interval_at(const Json& j) {
  const auto at = j.find("interval");
  if (at == j.end() || !at->is_object()) return "";
  const auto end = [&](const char* key) -> std::optional<double> {
    const auto e = at->find(key);
    return e != at->end() && e->is_number() ? std::optional(e->get<double>()) : std::nullopt;
  };
  Interval i;
  i.low = end("low"), i.high = end("high");
  if (!i.low && !i.high) return "";
  i.sided = !i.low ? Sided::upper : !i.high ? Sided::lower : Sided::two;
  return ends(i);
}

// Of a line, or where it does not hold it, of its statement.
std::optional<ClaimSaid> said_in(const Json& j) {
  const auto at = j.find("said");
  if (at == j.end()) {
    try {
      const Claim c = parse_claim(text_at(j, "statement"));
      ClaimSaid s{c.quantity, "", std::nullopt, c.op, c.value};
      if (const auto* name = std::get_if<std::string>(&c.key.value)) s.name = printable(*name);
      if (const auto* number = std::get_if<double>(&c.key.value)) s.number = *number;
      return s;
    } catch (const Error&) { return std::nullopt; }
  }
  if (!at->is_object()) return std::nullopt;
  const auto number = at->find("number"), value = at->find("value");
  const auto* op = std::ranges::find(ops, text_at(*at, "op"), [](Comparison o) { return to_string(o); });
  if (op == std::end(ops) || value == at->end() || !value->is_number()) return std::nullopt;
  ClaimSaid s{text_at(*at, "quantity"), text_at(*at, "name"), std::nullopt, *op, value->get<double>()};
  if (number != at->end() && number->is_number()) s.number = number->get<double>();
  return s;
}

EarlierRuling ruling_of(const Json& j) {
  EarlierRuling e{.statement = text_at(j, "statement"),
                  .date = text_at(j, "date"),
                  .ruling = text_at(j, "ruling"),
                  .estimate = number_at(j, "estimate"),
                  .interval = interval_at(j),
                  .model = first_hash(j, "models"),
                  .data = first_hash(j, "data"),
                  .role = {},
                  .command = text_at(j, "command"),
                  .said = said_in(j)};
  const auto data = j.find("data");
  if (data != j.end() && data->is_array() && !data->empty() && data->at(0).is_object())
    e.role = text_at(data->at(0), "role");
  return e;
}

// Whether what the file holds ends in the middle of a line.
bool is_torn(int fd, off_t size) {
  char last = '\n';
  return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

}  // namespace

bool same_quantity(const ClaimSaid& a, const ClaimSaid& b) {
  if (a.quantity != b.quantity) return false;
  if (!a.name.empty() && !b.name.empty()) return a.name == b.name;
  if (a.number || b.number) return a.number == b.number;
  return a.name == b.name;
}

ClaimSaid said_by(const Claim& c) { return {c.quantity, printable(c.key_name), c.key_number, c.op, c.value}; }

std::string ledger_lines(const Report& report, std::string_view date) {
  if (report.claims.empty()) return "";
  const Json json = report_json(report, {.cost = false});
  std::string lines;
  for (size_t i = 0; i < report.claims.size(); ++i) lines += visible_json(line_of(report, json, i, date).dump()) + "\n";
  return lines;
}

std::vector<EarlierRuling> parse_ledger(std::string_view text, const std::string& name) {
  std::vector<EarlierRuling> all;
  int64_t number = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    ++number, at = end + 1;
    if (line.empty()) continue;
    const Json j = Json::parse(line, nullptr, false);
    if (!j.is_object() || text_at(j, "statement").empty() || text_at(j, "ruling").empty())
      throw input_error("{}:{}: is no line of a ledger: name another file, or mend that line", name, number);
    all.push_back(ruling_of(j));
  }
  return all;
}

void append_to_ledger(const std::string& path, std::string_view lines) {
  if (lines.empty()) return;
  const std::string shown = printable(path);
  Descriptor file(open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666));
  if (!file) throw cannot_write(shown, errno);
  while (flock(file.get(), LOCK_EX) != 0)
    if (errno != EINTR) throw cannot_write(shown, errno);
  struct stat s{};
  if (fstat(file.get(), &s) != 0) throw cannot_write(shown, errno);
  if (!S_ISREG(s.st_mode)) throw input_error("{}: is not a regular file: choose another ledger", shown);
  const std::string whole = (is_torn(file.get(), s.st_size) ? "\n" : "") + std::string(lines);
  try {
    write_all(file.get(), as_bytes(whole), shown);
    sync(file.get(), shown);
  } catch (const Error&) {
    [[maybe_unused]] const int undone = ftruncate(file.get(), s.st_size);
    throw;
  }
  if (!file.close()) throw cannot_write(shown, errno);
}

}  // namespace viva
