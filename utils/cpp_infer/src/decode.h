// From an image file to what utils/images.py makes of it.
#pragma once

#include <cstdint>
#include <opencv2/core.hpp>
#include <vector>

namespace cpp_infer {

// Returns uint8[h, w, 3] RGB, upright: grey is repeated, alpha dropped, a palette looked up, CMYK converted, 16 bits
// become 8. Throws ImageError where the file is empty, cut, damaged, too large or of an unknown kind.
cv::Mat DecodeImage(const std::vector<std::uint8_t>& file);

// Turns and mirrors a picture as an EXIF orientation, 1 to 8, says.
cv::Mat ApplyOrientation(const cv::Mat& image, int orientation);

}  // namespace cpp_infer
