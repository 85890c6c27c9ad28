// The longer sections of the page, each a complete <section> or nothing.
#pragma once

#include <string>

#include "examine/finding.h"

namespace viva {

std::string headline_section(const Report& report);  // accuracy, scores, what can be detected
std::string recall_section(const Report& report);    // per class, with plots
std::string identity_section(const Report& report);  // files, hashes, coverage
std::string findings_section(const Report& report);  // one row a finding
std::string evidence_section(const Report& report);  // assumptions, tables, example rows

}  // namespace viva
