// The orientation that a camera stored with a picture.
#pragma once

#include <cstdint>
#include <vector>

namespace cpp_infer {

// Returns the EXIF orientation of a JPEG, PNG or WebP file, 1 to 8; 1 where there is none or it cannot be read.
int ExifOrientation(const std::vector<std::uint8_t>& file);

}  // namespace cpp_infer
