// The JSON beside an exported model, as utils/exporting/description.py writes it.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace cpp_infer {

inline constexpr std::int64_t kAnyLength = -1;  // Length of the batch axis of a model that takes any number of images.

struct TensorDescription {
  std::string name;
  std::string dtype;  // NumPy's name, e.g. "float32".
  std::vector<std::int64_t> shape;
};

enum class ChannelOrder { kRgb, kBgr };
enum class ResizeRule { kKeepRatio, kStretch };
enum class Padding { kBottomRight, kNone };
enum class Rounding { kHalfEven, kHalfUp };

// From a picture to float32[3, height, width]; the rules are written down in description.py's class of this name.
struct Preprocessing {
  ChannelOrder channel_order = ChannelOrder::kRgb;
  ResizeRule resize = ResizeRule::kKeepRatio;
  int height = 0;
  int width = 0;
  std::array<double, 3> mean{};
  std::array<double, 3> std{};
  Padding padding = Padding::kNone;
  float padding_value = 0;
  Rounding rounding = Rounding::kHalfEven;
};

// Returns whether a loaded model's input or output may be what the description of it says: type and lengths agree where
// both are known.
bool AgreesWith(const TensorDescription& loaded, const TensorDescription& described);

// Returns e.g. "float32[?,3,640,640] and float32[?,4]".
std::string Text(const std::vector<TensorDescription>& tensors);

struct ModelDescription {
  std::string suite;
  std::string file;
  std::string file_format;
  std::vector<TensorDescription> inputs;  // `images`, then perhaps `image_metas`.
  std::vector<TensorDescription> outputs;
  Preprocessing preprocessing;

  bool takes_metas() const { return inputs.size() == 2; }
  std::int64_t batch_size() const { return inputs.front().shape.front(); }
};

// Returns where the description of a model lies: its name without ending, and .json; its whole name and .json where an
// export of another format under the same name has moved it there.
std::filesystem::path DescriptionPath(const std::filesystem::path& model);

// Throws UserError where there is none, or it is not one of a model that this program can feed.
ModelDescription ReadDescription(const std::filesystem::path& path);

}  // namespace cpp_infer
