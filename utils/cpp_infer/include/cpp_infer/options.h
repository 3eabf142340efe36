// The program's arguments, checked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "cpp_infer/flags.h"

namespace cpp_infer {

enum class BadImages { kSkip, kFail };

struct Options {
  std::filesystem::path model;
  std::filesystem::path dataset;
  std::filesystem::path description;
  bool is_description_given = false;  // Otherwise it is the one beside the model.
  std::string engine;                 // "auto", "python", "lite" or "openvino".
  std::string device_target;          // "CPU", "GPU" or "Ascend"; "" for the engine's usual one.
  int device_id = 0;
  BadImages bad_images = BadImages::kSkip;
  int batch_size = 0;  // 0: the model's own, 1 for one that takes any.
  int num_loaders = 2;
  int num_threads = 0;                // Of the network, with OpenVINO; 0: one for each core.
  std::string cpu_precision;          // "f32" or "bf16", with OpenVINO.
  std::string precision_mode;         // On Ascend; "" for preferred_fp32.
  std::filesystem::path lite_config;  // "" for none.
  std::uint64_t most_pixels = 0;      // Of an image that is decoded.
  std::filesystem::path python;       // "" for the interpreter that was found when this was built.
};

const std::vector<Flag>& KnownFlags();

// Throws UserError where a value cannot be used or a path does not exist.
Options ReadOptions(const Flags& flags);

}  // namespace cpp_infer
