// From an image file to the model's input.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "cpp_infer/description.h"

namespace cpp_infer {

struct ImageInput {
  std::vector<float> pixels;  // [3, height, width] of the input.
  int height = 0;             // Of the picture, after its EXIF orientation.
  int width = 0;
  double scale_y = 1;  // Pixels of the input for one of the picture: resized rows / its rows.
  double scale_x = 1;
};

inline constexpr std::uint64_t kMostPixels = 120'000'000;  // As utils/images.py takes them.

// Throws ImageError where the file is no picture that can be read, or one of more than `most_pixels`.
ImageInput ReadImageInput(const std::filesystem::path& path, const Preprocessing& preprocessing,
                          std::uint64_t most_pixels = kMostPixels);

}  // namespace cpp_infer
