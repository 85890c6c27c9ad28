#include "cli/class_names.h"

#include <algorithm>
#include <cstdint>
#include <set>

namespace viva {
namespace {

constexpr size_t most_text = size_t{1} << 22;

// The texts in quotes, in order; a quote or a backslash inside is behind a backslash.
std::vector<std::string> quoted_texts(std::string_view s) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < s.size(); ++i) {
    if (s[i] != '"' && s[i] != '\'') continue;
    const char quote = s[i];
    std::string text;
    for (++i; i < s.size() && s[i] != quote; ++i) {
      if (s[i] == '\\' && i + 1 < s.size()) ++i;
      text += s[i];
    }
    texts.push_back(std::move(text));
  }
  return texts;
}

std::string_view trimmed(std::string_view s) {
  const size_t first = s.find_first_not_of(" \t\r\n");
  return first == s.npos ? "" : s.substr(first, s.find_last_not_of(" \t\r\n") - first + 1);
}

std::vector<std::string> split(std::string_view s, char between) {
  std::vector<std::string> parts;
  for (size_t at = 0; at <= s.size();) {
    const size_t end = std::min(s.find(between, at), s.size());
    parts.emplace_back(trimmed(s.substr(at, end - at)));
    at = end + 1;
  }
  return parts;
}

// A dictionary's names in the order of its indexes, which are written out; empty where they are not 0, 1, ….
std::vector<std::string> by_index(std::string_view s) {
  std::vector<std::string> names = quoted_texts(s);
  // Keys in quotes, as in JSON, are texts of their own.
  const bool quoted_keys = names.size() % 2 == 0 && !names.empty() && names[0] == "0";
  std::vector<std::string> values;
  for (size_t i = 0; quoted_keys && i < names.size(); i += 2) {
    if (names[i] != std::to_string(i / 2)) return {};
    values.push_back(names[i + 1]);
  }
  if (quoted_keys) return values;
  size_t at = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    at = s.find(std::to_string(i) + ":", at);
    if (at == s.npos) return {};
  }
  return names;
}

std::vector<std::string> names_of(std::string_view value) {
  const std::string_view s = trimmed(value.substr(0, most_text));
  if (s.starts_with('[') || s.starts_with('(')) return quoted_texts(s);
  if (s.starts_with('{')) return by_index(s);
  return split(s, s.find('\n') == s.npos ? ',' : '\n');
}

}  // namespace

std::vector<std::string> class_names_in(const std::vector<std::pair<std::string, std::string>>& metadata,
                                        int64_t classes) {
  for (const char* key : {"class_names", "classes", "labels", "names"}) {
    for (const auto& [k, value] : metadata) {
      if (k != key) continue;
      std::vector<std::string> names = names_of(value);
      const std::set<std::string> different(names.begin(), names.end());
      if (std::ssize(names) == classes && different.size() == names.size() && !different.contains("")) return names;
    }
  }
  return {};
}

}  // namespace viva
