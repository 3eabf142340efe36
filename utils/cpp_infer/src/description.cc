#include "cpp_infer/description.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "cpp_infer/errors.h"

namespace cpp_infer {
namespace {

using nlohmann::json;

constexpr int kFormatVersion = 1;

TensorDescription ReadTensor(const json& value) {
  TensorDescription tensor{value.at("name"), value.at("dtype"), {}};
  for (const json& length : value.at("shape")) {
    tensor.shape.push_back(length.is_null() ? kAnyLength : length.get<std::int64_t>());
  }
  return tensor;
}

std::vector<TensorDescription> ReadTensors(const json& values) {
  std::vector<TensorDescription> tensors;
  std::transform(values.begin(), values.end(), std::back_inserter(tensors), ReadTensor);
  return tensors;
}

// Returns whether a field has the first of two values; throws std::invalid_argument where it has neither.
bool IsFirst(const json& values, const char* field, const char* first, const char* second) {
  const std::string value = values.at(field);
  if (value != first && value != second) {
    throw std::invalid_argument(std::string(field) + " is '" + value + "', wanted " + first + " or " + second);
  }
  return value == first;
}

Preprocessing ReadPreprocessing(const json& values) {
  Preprocessing rules;
  rules.channel_order = IsFirst(values, "channel_order", "RGB", "BGR") ? ChannelOrder::kRgb : ChannelOrder::kBgr;
  rules.resize = IsFirst(values, "resize", "keep_ratio", "stretch") ? ResizeRule::kKeepRatio : ResizeRule::kStretch;
  rules.height = values.at("height");
  rules.width = values.at("width");
  rules.mean = values.at("mean");
  rules.std = values.at("std");
  rules.padding = IsFirst(values, "padding", "bottom_right", "none") ? Padding::kBottomRight : Padding::kNone;
  rules.padding_value = values.at("padding_value");
  rules.rounding = IsFirst(values, "rounding", "half_even", "half_up") ? Rounding::kHalfEven : Rounding::kHalfUp;
  return rules;
}

// Throws std::invalid_argument where the model takes something that this program does not make.
void CheckInputs(const ModelDescription& description) {
  const Preprocessing& rules = description.preprocessing;
  if (rules.height <= 0 || rules.width <= 0 || std::count(rules.std.begin(), rules.std.end(), 0.0) > 0) {
    throw std::invalid_argument("preprocessing has a size or a std that is not above 0");
  }
  if (rules.resize == ResizeRule::kKeepRatio && rules.padding == Padding::kNone) {
    throw std::invalid_argument("resize keep_ratio needs padding bottom_right, or pictures do not fill the input");
  }
  if (description.inputs.empty() || description.inputs.size() > 2 || description.outputs.empty()) {
    throw std::invalid_argument("wanted one or two inputs, images and image_metas, and an output");
  }
  const std::vector<std::vector<std::int64_t>> wanted = {{3, rules.height, rules.width}, {4}};
  for (std::size_t i = 0; i < description.inputs.size(); ++i) {
    const TensorDescription& input = description.inputs[i];
    const bool has_batch = !input.shape.empty() && (input.shape[0] > 0 || input.shape[0] == kAnyLength);
    if (!has_batch || input.shape[0] != description.batch_size() || input.dtype != "float32" ||
        std::vector<std::int64_t>(input.shape.begin() + 1, input.shape.end()) != wanted[i]) {
      throw std::invalid_argument("input '" + input.name + "' is not float32 of the shape that preprocessing makes");
    }
  }
}

ModelDescription FromJson(const json& values) {
  ModelDescription description;
  description.suite = values.at("suite");
  description.file = values.at("file");
  description.file_format = values.at("file_format");
  description.inputs = ReadTensors(values.at("inputs"));
  description.outputs = ReadTensors(values.at("outputs"));
  description.preprocessing = ReadPreprocessing(values.at("preprocessing"));
  CheckInputs(description);
  return description;
}

}  // namespace

bool AgreesWith(const TensorDescription& loaded, const TensorDescription& described) {
  constexpr std::int64_t kAnyRank = -2;  // MindSpore's only length of a shape of which nothing is known.
  if (loaded.shape == std::vector{kAnyRank}) {
    return true;
  }
  const auto may_be = [](std::int64_t a, std::int64_t b) { return a == b || a < 0; };
  return (loaded.dtype.empty() || loaded.dtype == described.dtype) &&
         std::equal(loaded.shape.begin(), loaded.shape.end(), described.shape.begin(), described.shape.end(), may_be);
}

std::string Text(const std::vector<TensorDescription>& tensors) {
  std::string text;
  for (const TensorDescription& tensor : tensors) {
    text += (text.empty() ? "" : " and ") + tensor.dtype + "[";
    for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
      text += (i == 0 ? "" : ",") + (tensor.shape[i] < 0 ? "?" : std::to_string(tensor.shape[i]));
    }
    text += "]";
  }
  return text.empty() ? "nothing" : text;
}

std::filesystem::path DescriptionPath(const std::filesystem::path& model) {
  std::filesystem::path kept = model.string() + ".json";
  if (std::error_code error; std::filesystem::is_regular_file(kept, error)) {
    return kept;
  }
  std::string name = model.filename().string();
  for (const std::string ending : {"_graph.mindir", ".mindir", ".onnx"}) {
    if (name.size() > ending.size() && name.compare(name.size() - ending.size(), ending.size(), ending) == 0) {
      name.resize(name.size() - ending.size());
      break;
    }
  }
  return model.parent_path() / (name + ".json");
}

ModelDescription ReadDescription(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) {
    throw UserError("'" + path.string() +
                    "' cannot be read: export the model, which writes it beside, or give --config");
  }
  try {
    const json values = json::parse(file);
    if (const int version = values.at("format_version"); version > kFormatVersion) {
      throw UserError("'" + path.string() + "' has layout " + std::to_string(version) + ", this program reads up to " +
                      std::to_string(kFormatVersion) + ": build it again from newer sources");
    }
    return FromJson(values);
  } catch (const json::exception& error) {
    throw UserError("'" + path.string() + "' is no description of an exported model (" + error.what() +
                    "): export the model again");
  } catch (const std::invalid_argument& error) {
    throw UserError("'" + path.string() + "' describes a model that this program cannot feed (" + error.what() +
                    "): export the model again");
  }
}

}  // namespace cpp_infer
