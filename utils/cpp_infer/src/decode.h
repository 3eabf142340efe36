// From an image file to what utils/images.py makes of it.
#pragma once

#include <cstdint>
#include <opencv2/core.hpp>
#include <vector>

namespace cpp_infer {

// Returns uint8[h, w, 3] RGB, upright: grey is repeated, alpha dropped, a palette looked up, CMYK converted, 16 bits
// become 8. Throws ImageError where the file is empty, cut, damaged or of an unknown kind, or its header says more than
// `most_pixels`; then it is not decoded.
cv::Mat DecodeImage(const std::vector<std::uint8_t>& file, std::uint64_t most_pixels);

// Turns and mirrors a picture as an EXIF orientation, 1 to 8, says.
cv::Mat ApplyOrientation(const cv::Mat& image, int orientation);

}  // namespace cpp_infer
