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
  std::string engine;                 // "auto", "python" or "lite".
  std::string device_target;          // "CPU", "GPU" or "Ascend"; "" for the engine's usual one.
  int device_id = 0;
  BadImages bad_images = BadImages::kSkip;
  int batch_size = 0;  // 0: the model's own, 1 for one that takes any.
  int num_threads = 2;
  std::uint64_t most_pixels = 0;  // Of an image that is decoded.
  std::filesystem::path python;   // "" for the interpreter that was found when this was built.
};

const std::vector<Flag>& KnownFlags();

// Throws UserError where a value cannot be used or a path does not exist.
Options ReadOptions(const Flags& flags);

}  // namespace cpp_infer
