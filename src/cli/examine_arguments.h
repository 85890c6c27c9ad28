// The options of viva examine: declared, read, and written again in one spelling.
#pragma once

#include <CLI/App.hpp>
#include <optional>
#include <string>
#include <vector>

#include "examine/examiner.h"

namespace viva {

struct ExamineArguments {
  std::string model, data, train, classes, groups, input, output, claims_file;
  std::string output_kind = "auto", data_role = "unknown", range, eps, rows, budget, normalize, data_normalized, layout;
  std::optional<std::string> out, ledger, mend;
  std::vector<std::string> claims, only;
  std::string seed = "0";
  std::optional<int> threads;
  bool plan = false, no_cost = false, no_examples = false;
};

void declare_arguments(CLI::App& app, ExamineArguments& a);

// What they say, checked; reads the file of claims, whose record goes to `claim_files`. Claims of the file come first.
ExamineOptions options_of(const ExamineArguments& a, std::vector<FileRecord>& claim_files);

double budget_of(const ExamineArguments& a);  // seconds of the cost model

// All that the report is a function of, in one spelling: no --threads, no --out, claims as they were understood, --only
// in the order of the list and just where it leaves something out.
std::string canonical_command(const ExamineArguments& a, const ExamineOptions& options,
                              const std::vector<const Examiner*>& chosen);

}  // namespace viva
