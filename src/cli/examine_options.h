// Options of viva examine that are written as numbers.
#pragma once

#include <string>
#include <vector>

#include "examine/examiner.h"

namespace viva {

// A decimal or a fraction of two, 8/255. Usage errors name the option.
double number_of(const std::string& option, const std::string& text);
ValueRange range_of(const std::string& text);             // --range LO,HI
std::vector<Radius> radii_from(const std::string& text);  // --eps LIST: above 0, ascending, each once, at most 16
int64_t row_count(const std::string& text);               // --rows N
OutputChoice output_choice(const std::string& text);      // --output-kind
// MEAN,STD: a number each, or one for each channel with colons between.
Normalization normalization_of(const std::string& option, const std::string& text);

// As they are written in the canonical command, each with a blank before it; "" where they say nothing.
std::string canonical(const ExamineOptions& o);
std::string canonical(const std::string& option, const Normalization& n);

// "(x - 0.1307) / 0.3081".
std::string in_words(const Normalization& n);

}  // namespace viva
