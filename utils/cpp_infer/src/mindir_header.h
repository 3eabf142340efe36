// What a MindIR file says of itself, read without MindSpore.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace cpp_infer {

struct MindIrHeader {
  std::int64_t version = 0;  // `mind_ir_version`: 1 up to MindSpore 2.2 or so, 3 in 2.10; 0 where the file has none.
  std::string producer_version;                         // Of the MindSpore that wrote it.
  std::vector<std::vector<std::int64_t>> input_shapes;  // A length below 0 is any.
};

// Returns nothing where the file is no MindIR, or is cut short.
std::optional<MindIrHeader> ReadMindIrHeader(const std::filesystem::path& path);

}  // namespace cpp_infer
