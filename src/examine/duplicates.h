// Exact duplicates among rows, by their digests.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "examine/subject.h"

namespace viva {

// SHA-256 of each row as the network receives it; -0 counts as 0.
std::vector<std::string> row_digests(const RowSource& data, ThreadPool& pool, const Cancel& cancel);

struct RowPair {
  int64_t row = 0, other = 0;
  bool operator==(const RowPair&) const = default;
};
// Each row that equals an earlier one, with the first such row.
std::vector<RowPair> repeated_rows(std::span<const std::string> digests);
// Each row that equals some row with another label, with the first such row.
std::vector<RowPair> conflicting_rows(std::span<const std::string> digests, std::span<const int64_t> labels);
// Each row of a that stands in b, with its first place there.
std::vector<RowPair> shared_rows(std::span<const std::string> a, std::span<const std::string> b);

}  // namespace viva
