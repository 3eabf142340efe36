// What OpenCV does not tell of a JPEG file, and the kind of JPEG that it converts otherwise than Pillow.
#pragma once

#include <cstdint>
#include <opencv2/core.hpp>
#include <vector>

namespace cpp_infer {

struct JpegHeader {
  int num_channels = 0;
  std::uint64_t num_pixels = 0;
  bool is_complete = false;  // The file goes on to its end marker; decoders fill the rest of a cut one with grey.
};

bool IsJpeg(const std::vector<std::uint8_t>& file);

JpegHeader ReadJpegHeader(const std::vector<std::uint8_t>& file);

// Decodes a JPEG of four channels, CMYK or YCCK, to uint8[h, w, 3] RGB by Pillow's formula; its orientation is not
// applied. Throws ImageError where it is damaged.
cv::Mat DecodeCmykJpeg(const std::vector<std::uint8_t>& file);

}  // namespace cpp_infer
