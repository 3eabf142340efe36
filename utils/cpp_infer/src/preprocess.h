// From a decoded picture to the model's input.
#pragma once

#include <opencv2/core.hpp>

#include "cpp_infer/image_input.h"

namespace cpp_infer {

// Returns the size of a picture in the input.
cv::Size ScaledSize(const cv::Size& picture, const Preprocessing& preprocessing);

// Resizes uint8[h, w, 3] RGB, normalises and pads it.
ImageInput Preprocess(const cv::Mat& picture, const Preprocessing& preprocessing);

}  // namespace cpp_infer
