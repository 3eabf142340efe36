// The size of a picture as its file's header says, before anything is decoded.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace cpp_infer {

// Returns how many pixels the file would be decoded to; nothing where it is of none of the kinds JPEG, PNG, BMP, TIFF,
// WebP, GIF, PPM and JPEG 2000, or its header is broken.
std::optional<std::uint64_t> NumPixels(const std::vector<std::uint8_t>& file);

}  // namespace cpp_infer
