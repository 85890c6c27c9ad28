// Rows as small pictures within the page.
#pragma once

#include <string>

#include "base/bytes.h"
#include "examine/finding.h"

namespace viva {

std::string base64(ByteSpan bytes);
// A PNG file of the pixels, as "data:image/png;base64,…"; "" for a row that is no image.
std::string image_of(const ShownRow& row);

}  // namespace viva
