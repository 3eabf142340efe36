#include "preprocess.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "cpp_infer/paths.h"
#include "decode.h"

namespace cpp_infer {
namespace {

constexpr int kNumLevels = 256;
constexpr int kNumChannels = 3;

using Table = std::array<float, kNumLevels>;

double FitScale(const cv::Size& picture, const Preprocessing& rules) {
  return std::min(static_cast<double>(rules.height) / picture.height, static_cast<double>(rules.width) / picture.width);
}

int Rounded(double side, Rounding rounding) {
  // nearbyint rounds halves to even unless somebody changed the rounding mode of the process.
  return std::max(1, static_cast<int>(rounding == Rounding::kHalfEven ? std::nearbyint(side) : std::floor(side + 0.5)));
}

// One result for each grey level: exact, and a look-up for each pixel.
Table NormalisedLevels(double mean, double std) {
  Table table{};
  for (int level = 0; level < kNumLevels; ++level) {
    table[level] = static_cast<float>((level - mean) / std);
  }
  return table;
}

void FillPlane(const cv::Mat& picture, int source_channel, const Table& table, int input_width, float* plane) {
  for (int y = 0; y < picture.rows; ++y) {
    const auto* source = picture.ptr<std::uint8_t>(y) + source_channel;
    float* target = plane + static_cast<std::size_t>(y) * input_width;
    for (int x = 0; x < picture.cols; ++x, source += kNumChannels) {
      target[x] = table[*source];
    }
  }
}

}  // namespace

cv::Size ScaledSize(const cv::Size& picture, const Preprocessing& rules) {
  if (rules.resize == ResizeRule::kStretch) {
    return {rules.width, rules.height};
  }
  const double scale = FitScale(picture, rules);
  return {std::min(Rounded(picture.width * scale, rules.rounding), rules.width),
          std::min(Rounded(picture.height * scale, rules.rounding), rules.height)};
}

ImageInput Preprocess(const cv::Mat& picture, const Preprocessing& rules) {
  ImageInput input;
  input.height = picture.rows;
  input.width = picture.cols;
  const cv::Size size = ScaledSize(picture.size(), rules);
  input.scale_y = static_cast<double>(size.height) / picture.rows;
  input.scale_x = static_cast<double>(size.width) / picture.cols;
  cv::Mat resized;
  cv::resize(picture, resized, size, 0, 0, cv::INTER_LINEAR);
  const std::size_t plane_size = static_cast<std::size_t>(rules.height) * rules.width;
  input.pixels.assign(kNumChannels * plane_size, rules.padding_value);
  for (int channel = 0; channel < kNumChannels; ++channel) {
    const int source_channel = rules.channel_order == ChannelOrder::kRgb ? channel : kNumChannels - 1 - channel;
    FillPlane(resized, source_channel, NormalisedLevels(rules.mean[channel], rules.std[channel]), rules.width,
              input.pixels.data() + channel * plane_size);
  }
  return input;
}

ImageInput ReadImageInput(const std::filesystem::path& path, const Preprocessing& preprocessing,
                          std::uint64_t most_pixels) {
  return Preprocess(DecodeImage(ReadFile(path), most_pixels), preprocessing);
}

}  // namespace cpp_infer
