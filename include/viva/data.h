// Data for training: labelled sets, arrays from files, text as characters, and the order in which rows are seen, a pure
// function of a seed and the epoch. Rows are copied out of arrays as they are stored: convert and scale them in the
// step, convert(x, Dtype::float32) / 255, where it costs nothing beside a load.
#pragma once

#include <map>
#include <string_view>
#include <utility>

#include "data/dataset.h"
#include "viva/tensor.h"

namespace viva {

// Files. Input errors where one is missing, malformed or damaged.
Tensor load_array(const std::string& path);  // .npy or IDX, seen from the content; may be gzipped
std::map<std::string, Tensor> load_npz(const std::string& path);
void save_npy(const std::string& path, const Tensor& t);  // appears whole or not at all
// The array of a .npy file that stays on the disk and is read a page at a time, so it may be larger than memory. Nobody
// may shorten the file while the tensor lives. Big-endian and Fortran-ordered data are copied into memory.
Tensor map_npy(const std::string& path);
// Text as it is stored, which may be gzipped. Bytes that are no UTF-8 are an input error that says where.
std::string load_text(const std::string& path);

// The named rows, in that order: [rows, …] from [n, …]. Throws a usage error for a row outside.
Tensor take_rows(const Tensor& all, const Ints& rows, Loc = Loc::current());

// Rows 0 … n - 1 in two parts, ascending: all others, and `held_out` of them chosen at random by the seed. Throws a
// usage error unless 0 <= held_out <= rows.
std::pair<Ints, Ints> split_rows(int64_t rows, int64_t held_out, uint64_t seed, Loc = Loc::current());

// A random order of 0 … n - 1: Fisher and Yates's shuffle, place i from the top drawn by Threefry-2x32 of the seed, the
// stream and i. Every order is equally likely, but for a bias below n·2⁻⁶⁴ a place.
Ints permutation(int64_t n, uint64_t seed, uint64_t stream);

struct BatchOptions {
  int64_t size = 128;
  uint64_t seed = 0;
  bool shuffle = true;     // false: the same order in each epoch
  bool drop_last = false;  // leave out the rows of an epoch that make no full batch; else its last batch is smaller
};

// Which rows each step sees. Epoch e has the order permutation(n, seed, e), cut into batches, so every row comes once
// an epoch, and any step can be asked for at any time: training resumes in the middle. Copies share one epoch's order,
// 8 bytes a row; callable from many threads.
class Batches {
 public:
  // Of rows 0 … n - 1, or of chosen rows. Throws a usage error where there is no row, the size is below 1, or dropping
  // leaves no batch.
  explicit Batches(int64_t rows, const BatchOptions& options = {}, Loc = Loc::current());
  explicit Batches(Ints rows, const BatchOptions& options = {}, Loc = Loc::current());

  int64_t rows() const { return static_cast<int64_t>(count_); }
  int64_t per_epoch() const { return per_epoch_; }  // batches
  const BatchOptions& options() const { return options_; }
  Ints at(int64_t step) const;  // batch step % per_epoch() of epoch step / per_epoch()
  std::string hash() const;     // of rows and options, 64 hexadecimal digits

 private:
  struct Order;
  int64_t count_;
  BatchOptions options_;
  int64_t per_epoch_;
  std::shared_ptr<Order> order_;
};

// The characters (Unicode code points) of a text in ascending order, each with its place as its number. Text that is no
// UTF-8 is an input error that names the byte.
class Vocabulary {
 public:
  explicit Vocabulary(std::string_view text);
  int64_t size() const { return static_cast<int64_t>(characters_.size()); }
  const std::vector<std::string>& characters() const { return characters_; }
  Tensor encode(std::string_view text) const;       // int32 [n]; an input error names a character it does not know
  std::string decode(const Tensor& numbers) const;  // a usage error for a number outside

 private:
  std::vector<std::string> characters_;
  std::map<std::string, int32_t, std::less<>> numbers_;
};

// [starts, length]: the tokens from each start (plus shift) on. With Batches(tokens - length), inputs are at shift 0
// and the characters to predict at shift 1. Throws a usage error for a window outside.
Tensor take_windows(const Tensor& tokens, const Ints& starts, int64_t length, int64_t shift = 0, Loc = Loc::current());

}  // namespace viva
