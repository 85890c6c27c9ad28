// A report as one page: no network, no scripts, every string escaped.
#pragma once

#include <string>
#include <string_view>

#include "examine/finding.h"
#include "report/json.h"

namespace viva {

// At most 5 MB: long strings and lists are cut, and the page says that report.json has the rest.
std::string report_html(const Report& report, ReportOptions options);
std::string_view report_style();  // the style sheet, as shipped

}  // namespace viva
