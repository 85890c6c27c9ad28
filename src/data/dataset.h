// Labelled data sets, by name or from files, checked before anybody computes with them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/array.h"
#include "base/bytes.h"

namespace viva {

struct DataFile {
  std::string path;    // printable, as it was opened
  std::string sha256;  // of the bytes on the disk, as sha256sum prints it
  int64_t bytes = 0;   // on the disk
};

struct Dataset {
  std::string name;             // "fashion-mnist:test", or the file names without directories
  std::string spec;             // as the user wrote it, printable
  std::vector<DataFile> files;  // inputs first, labels last; one where a file holds both
  Array inputs;                 // [n, ...], n >= 1, in the dtype of the file: bytes of images are not scaled here
  Array labels;                 // int64 [n], none negative
  std::vector<std::string> class_names;  // empty where unknown

  int64_t rows() const { return labels.size(); }
};

// What load_dataset accepts, for help texts and errors.
inline constexpr std::string_view dataset_grammar =
    "fashion-mnist[:test|:train], INPUTS:LABELS (two .npy or IDX files), or FILE.npz with arrays x and y; any file may "
    "be gzipped";

// Reads the data set named by spec:
//   fashion-mnist, fashion-mnist:test, fashion-mnist:train  Debian's dataset-fashion-mnist, or $VIVA_DATA/fashion-mnist
//   INPUTS:LABELS                                           two files, each npy or IDX
//   FILE                                                    an npz file with the arrays x and y
// What a file is, is seen from its content. Where paths hold colons, the place to split is the one that gives two
// existing files. Labels may be of any integer dtype or bool, or floats that are whole numbers, with shape [n] or [n,
// 1]. Input errors (one line, rows counted from 0): files that are missing or malformed, no rows, different numbers of
// rows, NaN or infinity in the inputs, labels that are negative, not whole, or one-hot.
Dataset load_dataset(const std::string& spec);

// Throws an input error that names the first row whose label is not below `classes`, and asks "labels from 1?" where
// the labels run from 1 to `classes`.
void check_labels(const Dataset& data, int64_t classes);

}  // namespace viva
