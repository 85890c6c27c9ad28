#include "data/dataset.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <zlib.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "base/npy.h"
#include "support/damage.h"
#include "support/temp_dir.h"

namespace viva {
namespace {

namespace fs = std::filesystem;

Array rows(int64_t n, int64_t width = 2) {
  Array a = Array::make({Dtype::float32, {n, width}});
  for (int64_t i = 0; i < a.size(); ++i) a.as_mutable<float>()[static_cast<size_t>(i)] = static_cast<float>(i);
  return a;
}

// A directory with x.npy and y.npy.
struct Files {
  TempDir dir;
  std::string x = dir / "x.npy", y = dir / "y.npy";
  Files(const Array& inputs, const Array& labels) {
    write_npy(x, inputs);
    write_npy(y, labels);
  }
  std::string spec() const { return x + ":" + y; }
  std::string error() const {
    return error_of([&] { load_dataset(spec()); });
  }
};
template <class T> Array labels_of(const std::vector<T>& v) { return Array::of(v, {static_cast<int64_t>(v.size())}); }

TEST(Dataset, TwoNpyFiles) {
  const Files f(rows(3), labels_of<int32_t>({2, 0, 1}));
  const Dataset d = load_dataset(f.spec());
  EXPECT_EQ(d.name, "x.npy:y.npy");
  EXPECT_EQ(d.spec, f.spec());
  EXPECT_TRUE(same_bits(d.inputs, rows(3)));
  EXPECT_TRUE(same_bits(d.labels, labels_of<int64_t>({2, 0, 1})));
  EXPECT_EQ(d.rows(), 3);
  EXPECT_TRUE(d.class_names.empty());
  ASSERT_EQ(d.files.size(), 2u);
  EXPECT_EQ(d.files[0].path, f.x);
  EXPECT_EQ(d.files[1].bytes, static_cast<int64_t>(fs::file_size(f.y)));
}

TEST(Dataset, NpzFile) {
  for (const char* name : {"stored.npz", "deflated.npz"}) {
    const Dataset d = load_dataset(VIVA_SOURCE_DIR "/tests/base/numpy/" + std::string(name));
    EXPECT_EQ(d.name, name);
    EXPECT_EQ(to_string(d.inputs.type()), "f32[3,4]");
    EXPECT_TRUE(same_bits(d.labels, labels_of<int64_t>({2, 0, 1})));
    EXPECT_EQ(d.files.size(), 1u);
  }
}

TEST(Dataset, IdxFilesPlainAndGzipped) {
  TempDir dir;
  const std::string images({0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6}),
      labels({0, 0, 8, 1, 0, 0, 0, 2, 7, 9});
  put(dir / "images.idx", images);
  put(dir / "labels.idx", labels);
  const gzFile gz = gzopen((dir / "images.idx.gz").c_str(), "wb");
  ASSERT_EQ(gzwrite(gz, images.data(), static_cast<unsigned>(images.size())), static_cast<int>(images.size()));
  ASSERT_EQ(gzclose(gz), Z_OK);
  for (const char* file : {"images.idx", "images.idx.gz"}) {
    const Dataset d = load_dataset(dir / file + ":" + dir / "labels.idx");
    EXPECT_TRUE(same_bits(d.inputs, Array::of(std::vector<uint8_t>{1, 2, 3, 4, 5, 6}, {2, 1, 3}))) << "kept as bytes";
    EXPECT_TRUE(same_bits(d.labels, labels_of<int64_t>({7, 9})));
    EXPECT_EQ(d.files[0].bytes, static_cast<int64_t>(fs::file_size(dir / file)))
        << "the hash is of the file on the disk";
  }
}

TEST(Dataset, FashionMnist) {
  if (!fs::exists("/usr/share/datasets/fashion-mnist")) GTEST_SKIP() << "dataset-fashion-mnist is not installed";
  unsetenv("VIVA_DATA");
  const Dataset d = load_dataset("fashion-mnist");
  EXPECT_EQ(d.name, "fashion-mnist:test");
  EXPECT_EQ(d.spec, "fashion-mnist");
  EXPECT_EQ(to_string(d.inputs.type()), "u8[10000,28,28]");
  ASSERT_EQ(d.class_names.size(), 10u);
  EXPECT_EQ(d.class_names[6], "Shirt");
  // A thousand of each class, as its authors state; the first ten labels as published.
  std::vector<int> count(10);
  for (int64_t label : d.labels.as<int64_t>()) ++count.at(static_cast<size_t>(label));
  EXPECT_EQ(count, std::vector<int>(10, 1000));
  const auto first = d.labels.as<int64_t>().first(10);
  EXPECT_EQ(Ints(first.begin(), first.end()), (Ints{9, 2, 1, 1, 6, 1, 4, 6, 5, 7}));
  check_labels(d, 10);
  EXPECT_EQ(to_string(load_dataset("fashion-mnist:train").inputs.type()), "u8[60000,28,28]");
  VIVA_EXPECT_HAS(error_of([] { load_dataset("fashion-mnist:valid"); }), "its parts are test and train");
}

TEST(Dataset, FashionMnistFromVivaData) {
  TempDir dir;
  fs::create_directory(dir / "fashion-mnist");
  put(dir / "fashion-mnist/t10k-images-idx3-ubyte", std::string({0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 1, 5}));
  put(dir / "fashion-mnist/t10k-labels-idx1-ubyte", std::string({0, 0, 8, 1, 0, 0, 0, 1, 3}));
  setenv("VIVA_DATA", dir.path().c_str(), 1);
  EXPECT_TRUE(same_bits(load_dataset("fashion-mnist:test").labels, labels_of<int64_t>({3})));
  if (!fs::exists("/usr/share/datasets/fashion-mnist")) {
    VIVA_EXPECT_HAS(error_of([] { load_dataset("fashion-mnist:train"); }), "apt-get install dataset-fashion-mnist");
  }
  unsetenv("VIVA_DATA");
}

TEST(Dataset, LabelsOfEveryKind) {
  const Array expected = labels_of<int64_t>({1, 0, 1});
  for (Dtype d : {Dtype::boolean, Dtype::int8, Dtype::int16, Dtype::int32, Dtype::int64, Dtype::uint8, Dtype::uint16,
                  Dtype::uint32, Dtype::uint64, Dtype::float16, Dtype::bfloat16, Dtype::float32, Dtype::float64}) {
    EXPECT_TRUE(same_bits(load_dataset(Files(rows(3), expected.converted(d)).spec()).labels, expected)) << name(d);
    EXPECT_TRUE(same_bits(load_dataset(Files(rows(3), expected.converted(d).reshaped({3, 1})).spec()).labels, expected))
        << name(d);
  }
}

TEST(Dataset, BadLabels) {
  VIVA_EXPECT_HAS(Files(rows(3), labels_of<int64_t>({0, -1, -2})).error(),
                  "y.npy: row 1 (counting from 0) has label -1, which is negative");
  VIVA_EXPECT_HAS(Files(rows(2), labels_of<float>({0, -1})).error(),
                  "row 1 (counting from 0) has label -1, which is negative");
  VIVA_EXPECT_HAS(Files(rows(2), labels_of<double>({0, 0.5})).error(),
                  "row 1 (counting from 0) has label 0.5, which is not a whole number");
  VIVA_EXPECT_HAS(Files(rows(2), labels_of<float>({0, NAN})).error(), "has label nan, which is not a whole number");
  VIVA_EXPECT_HAS(Files(rows(2), labels_of<float>({0, INFINITY})).error(),
                  "has label inf, which is not a whole number");
  VIVA_EXPECT_HAS(Files(rows(2), labels_of<double>({0, 1e300})).error(), "too large");
  VIVA_EXPECT_HAS(Files(rows(1), labels_of<uint64_t>({UINT64_MAX})).error(),
                  "label 18446744073709551615, which is too large");
  VIVA_EXPECT_HAS(Files(rows(1), labels_of<std::complex<float>>({1})).error(), "complex");
  VIVA_EXPECT_HAS(Files(rows(3), Array::zeros({Dtype::float32, {3, 10}})).error(),
                  "labels have shape [3,10], as one-hot labels have");
  VIVA_EXPECT_HAS(Files(rows(3), Array::zeros({Dtype::int64, {1, 3}})).error(),
                  "labels have shape [1,3]: give one class number for each row, as y.reshape(-1)");
  VIVA_EXPECT_HAS(Files(rows(3), Array::zeros({Dtype::int64, {3, 1, 1}})).error(), "shape [3]");
  VIVA_EXPECT_HAS(Files(rows(3), Array::zeros({Dtype::int64, {3, 0}})).error(), "labels have shape [3,0]");
  VIVA_EXPECT_HAS(Files(rows(3), Array::scalar(int64_t{1})).error(), "labels have shape []");
  VIVA_EXPECT_HAS(Files(rows(3), labels_of<int64_t>({0, 1})).error(), "y.npy: has 2 labels for the 3 rows of ");
  VIVA_EXPECT_HAS(Files(rows(3), labels_of<int64_t>({})).error(), "has 0 labels");
}

TEST(Dataset, BadInputs) {
  const Array y = labels_of<int64_t>({0, 1, 2});
  for (Dtype d : {Dtype::float16, Dtype::float32, Dtype::float64}) {
    for (float bad : {NAN, -NAN, INFINITY, -INFINITY}) {
      Array x = rows(3, 3000);
      x.as_mutable<float>()[2 * 3000 - 1] = bad;
      x.as_mutable<float>()[2 * 3000] = NAN;
      VIVA_EXPECT_HAS(Files(x.converted(d), y).error(), std::isnan(bad) ? "x.npy: row 1 (counting from 0) holds NaN"
                                                                        : "row 1 (counting from 0) holds infinity");
    }
  }
  for (double finite : {std::numeric_limits<double>::max(), std::numeric_limits<double>::denorm_min(), -0.0}) {
    const Array x = Array::of(std::vector<double>(3, finite), {3, 1});
    EXPECT_TRUE(same_bits(load_dataset(Files(x, y).spec()).inputs, x));
  }
  VIVA_EXPECT_HAS(Files(rows(0), labels_of<int64_t>({})).error(), "x.npy: has shape [0,2] and so holds no data");
  VIVA_EXPECT_HAS(Files(rows(3, 0), y).error(), "holds no data");
  VIVA_EXPECT_HAS(Files(Array::scalar(1.f), y).error(), "is a single number");
  VIVA_EXPECT_HAS(Files(Array::zeros({Dtype::complex64, {3, 1}}), y).error(), "is complex");
}

TEST(Dataset, SpecsThatNameNothing) {
  const Files f(rows(2), labels_of<int64_t>({0, 1}));
  const auto error = [](const std::string& spec) { return error_of([&] { load_dataset(spec); }); };
  VIVA_EXPECT_HAS(error(""), "names no data set: give fashion-mnist");
  VIVA_EXPECT_HAS(error("cifar"), "cifar: is no data set and no file: give fashion-mnist[:test|:train], INPUTS:LABELS");
  VIVA_EXPECT_HAS(error(f.x + ":" + f.dir / "no.npy"), "no file '" + f.dir / "no.npy" + "'");
  VIVA_EXPECT_HAS(error("no.npy:" + f.y), "no file 'no.npy'");
  VIVA_EXPECT_HAS(error(f.x + ":"), "no file ''");
  VIVA_EXPECT_HAS(error("C:\\x.npy:C:\\y.npy"), "no colon of it parts two files");
  VIVA_EXPECT_HAS(error(":::"), "no colon of it");
  VIVA_EXPECT_HAS(error(std::string("a\0b", 3)), "a\\x00b");
  VIVA_EXPECT_HAS(error(f.x), "holds one array: name the file of the labels too");
  VIVA_EXPECT_HAS(error(f.dir.path()), "is a directory");
  VIVA_EXPECT_HAS(error(f.dir.path() + ":" + f.y), "is a directory");
  put(f.dir / "text", "hello");
  VIVA_EXPECT_HAS(error(f.dir / "text"), "is not an npz file");
  VIVA_EXPECT_HAS(error(f.dir / "text" + ":" + f.y), "is neither an npy nor an IDX file");
  const std::string npz = VIVA_SOURCE_DIR "/tests/base/numpy/stored.npz";
  VIVA_EXPECT_HAS(error(npz + ":" + f.y), "give it alone");
}

TEST(Dataset, ColonsInPaths) {
  const Files f(rows(2), labels_of<int64_t>({0, 1}));
  fs::copy_file(f.x, f.dir / "a:b.npy");
  fs::copy_file(f.y, f.dir / "c:d.npy");
  EXPECT_EQ(load_dataset(f.dir / "a:b.npy" + ":" + f.dir / "c:d.npy").files[1].path, f.dir / "c:d.npy");
  fs::copy_file(VIVA_SOURCE_DIR "/tests/base/numpy/stored.npz", f.dir / "e:f.npz");
  EXPECT_EQ(load_dataset(f.dir / "e:f.npz").rows(), 3);
  // x:y:z with x, x:y, y:z and z all there.
  const fs::path before = fs::current_path();
  fs::current_path(f.dir.path());
  for (const char* name : {"x", "x:y", "y:z", "z"}) put(name, "");
  VIVA_EXPECT_HAS(error_of([] { load_dataset("x:y:z"); }), "two of its colons");
  fs::current_path(before);
}

TEST(Dataset, LabelsAgainstClasses) {
  const auto labels = [](const std::vector<int64_t>& v) {
    Dataset d;
    d.files = {{"x.npy", "", 0}, {"y.npy", "", 0}};
    d.labels = labels_of(v);
    return d;
  };
  check_labels(labels({0, 2, 1}), 3);
  VIVA_EXPECT_HAS(error_of([&] { check_labels(labels({1, 2, 3, 3}), 3); }),
                  "y.npy: row 2 (counting from 0) has label 3, but the network has 3 classes, 0 to 2: labels from 1?");
  VIVA_EXPECT_HAS(error_of([&] { check_labels(labels({0, 3}), 3); }), "is this the data set of this network?");
  VIVA_EXPECT_HAS(error_of([&] { check_labels(labels({1, 4}), 3); }), "is this the data set of this network?");
}

TEST(Dataset, DamagedFilesLoadOrAreRefused) {
  const Files f(rows(2), labels_of<uint8_t>({0, 1}));
  const std::string x = get(f.x), y = get(f.y);
  const auto read = [&](const std::string&) { load_dataset(f.spec()); };
  const auto with = [&](const std::string& path) {
    return [&, path](const std::string& content) {
      put(path, content);
      read(content);
    };
  };
  EXPECT_EQ(loads_truncated(with(f.x), x), 0);
  put(f.x, x);
  EXPECT_EQ(loads_truncated(with(f.y), y), 0);
  loads_damaged(with(f.y), y);
}

}  // namespace
}  // namespace viva
