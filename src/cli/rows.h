// Rows of a data set as a network takes them.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"

namespace viva {

// What is done to a stored row, for people; "" where nothing is.
struct RowConversion {
  std::string values;  // "uint8 divided by 255"
  std::string layout;  // "u8[784] read as [1,28,28], last index fastest"
};
// How stored rows become rows of `row`, or an input error that says what to save instead. Extents of 1 come and go; a
// row of one dimension is cut into any shape, and any shape is laid out as one dimension; all else is another layout,
// which is never guessed.
RowConversion conversion_of(const Dataset& data, const Type& row);

// Rows first … first + count: uint8 for a float input is divided by 255 in float32, as training scripts do it. An input
// error names the first row with a value that the network's dtype does not hold.
Array converted_rows(const Dataset& data, const Type& row, int64_t first, int64_t count);

// The group of each of `rows` rows, numbered from 0 in the order of their first rows, from a label a row: an npy file
// of one number a row, or text, a line a row. Input errors: another number of labels, an empty line.
std::vector<int64_t> read_groups(const std::string& path, int64_t rows, DataFile& file);

// The lines of a file, one name for each class, and the file's record. Input errors: other than `classes` names, an
// empty name, one given twice.
std::vector<std::string> read_class_names(const std::string& path, int64_t classes, DataFile& file);

}  // namespace viva
