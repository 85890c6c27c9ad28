// Numbers in plain words.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace viva {

std::string grouped(int64_t v);               // 9,027
std::string rounded(int64_t v);               // to three digits, grouped: 36,712 -> 36,700
std::string shown(double v, int digits = 4);  // significant digits, no trailing zeros
// The same, not below v.
std::string shown_above(double v, int digits = 4);
std::string quoted_key(std::string_view name);  // in double quotes, as a claim's key
// 1 row, 2 rows.
std::string counted(int64_t n, const char* one, const char* many);

}  // namespace viva
