// Text as characters.
#include <set>

#include "base/bytes.h"
#include "base/error.h"
#include "viva/data.h"

namespace viva {
namespace {

// f(character) for each code point. Throws an input error where the text is no UTF-8.
template <class F> void each_character(std::string_view text, F f) {
  for (size_t at = 0; at < text.size();) {
    const size_t n = utf8_length(text.substr(at));
    if (n == 0) throw input_error("[Vocabulary] byte {} of the text begins no character of UTF-8: convert it", at);
    f(text.substr(at, n));
    at += n;
  }
}

}  // namespace

Vocabulary::Vocabulary(std::string_view text) {
  std::set<std::string, std::less<>> all;  // bytes of UTF-8 sort as the code points do
  each_character(text, [&](std::string_view c) {
    if (!all.contains(c)) all.emplace(c);
  });
  characters_.assign(all.begin(), all.end());
  for (const std::string& c : characters_) numbers_.emplace(c, static_cast<int32_t>(numbers_.size()));
}

Tensor Vocabulary::encode(std::string_view text) const {
  std::vector<int32_t> numbers;
  numbers.reserve(text.size());
  each_character(text, [&](std::string_view c) {
    const auto it = numbers_.find(c);
    if (it == numbers_.end())
      throw input_error("[Vocabulary] the text has the character {}, which the vocabulary does not", printable(c));
    numbers.push_back(it->second);
  });
  const auto n = static_cast<int64_t>(numbers.size());
  return Array::of(numbers, {n});
}

std::string Vocabulary::decode(const Tensor& numbers) const {
  const Array a = numbers.array();
  std::string text;
  for (int64_t i = 0; i < a.size(); ++i) {
    const double c = a.at(i);
    if (!(c >= 0 && c < static_cast<double>(size())))
      throw usage_error("[Vocabulary] {} is no number of its {} characters", c, size());
    text += characters_[static_cast<size_t>(c)];
  }
  return text;
}

}  // namespace viva
