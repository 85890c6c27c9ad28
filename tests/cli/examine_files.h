// viva examine over files: fixtures of tests/onnx, and data written for the test.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/npy.h"
#include "cli/verb.h"
#include "support/temp_dir.h"

namespace viva {

struct Outcome {
  int code;
  std::string out, err;
};

inline Outcome call(std::vector<std::string> words) {
  words.insert(words.begin(), "viva");
  std::vector<const char*> argv;
  for (const std::string& w : words) argv.push_back(w.c_str());
  std::ostringstream out, err;
  const Cancel cancel{false};
  Session session{out, err, cancel, false, file_openers()};
  const int code = run_cli(static_cast<int>(argv.size()), argv.data(), session);
  return {code, out.str(), err.str()};
}

inline std::string fixture(const std::string& name) { return VIVA_SOURCE_DIR "/tests/onnx/fixtures/" + name + ".onnx"; }

class ExamineFiles : public ::testing::Test {
 protected:
  // n rows of two numbers, labels 0 to 2 in turn.
  std::string rows(int64_t n, Dtype d = Dtype::float32) const {
    std::vector<float> x;
    std::vector<int64_t> y;
    for (int64_t i = 0; i < n; ++i)
      x.insert(x.end(), {static_cast<float>(i), static_cast<float>(i % 3)}), y.push_back(i % 3);
    write_npy(dir_ / "x.npy", Array::of(x, {n, 2}).converted(d));
    write_npy(dir_ / "y.npy", Array::of(y, {n}));
    return dir_ / "x.npy:" + (dir_ / "y.npy");
  }
  // A fixture in the folder of the test, where its ledger may stand beside it.
  std::string copied(const std::string& model) const {
    const std::string path = dir_ / (model + ".onnx");
    std::filesystem::copy_file(fixture(model), path, std::filesystem::copy_options::overwrite_existing);
    return path;
  }
  Outcome examine(const std::string& model, const std::string& data, std::vector<std::string> more = {}) const {
    std::vector<std::string> words = {"examine", copied(model), "--data", data, "--out", dir_ / "out"};
    words.insert(words.end(), more.begin(), more.end());
    return call(words);
  }
  // n rows of any shape with labels 0 to K - 1 in turn; value(row, column).
  std::string rows_of(int64_t n, Shape row, int64_t classes, const std::function<double(int64_t, int64_t)>& value,
                      Dtype d = Dtype::float32) const {
    std::vector<double> x;
    std::vector<int64_t> y;
    const int64_t width = numel(row);
    for (int64_t i = 0; i < n * width; ++i) x.push_back(value(i / width, i % width));
    for (int64_t i = 0; i < n; ++i) y.push_back(i % classes);
    row.insert(row.begin(), n);
    write_npy(dir_ / "x.npy", Array::of(x, row).converted(d));
    write_npy(dir_ / "y.npy", Array::of(y, {n}));
    return dir_ / "x.npy:" + (dir_ / "y.npy");
  }
  nlohmann::json report() const { return nlohmann::json::parse(get(dir_ / "out/report.json")); }
  static const nlohmann::json& finding(const nlohmann::json& report, const std::string& id) {
    for (const auto& f : report["findings"])
      if (f["id"] == id) return f;
    throw std::runtime_error("no finding " + id);
  }
  bool written() const { return std::filesystem::exists(dir_ / "out"); }
  static bool limits_say(const nlohmann::json& report, const std::string& text) {
    for (const auto& l : report["limits"])
      if (l["text"].get<std::string>().find(text) != std::string::npos) return true;
    return false;
  }
  TempDir dir_;
};

}  // namespace viva
