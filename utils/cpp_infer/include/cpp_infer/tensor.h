// An array on its way into or out of an engine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

namespace cpp_infer {

struct Tensor {
  std::string dtype;  // NumPy's name.
  std::vector<std::int64_t> shape;
  std::vector<std::byte> data;  // C order, little-endian.
};

// Returns how many elements a shape has.
inline std::int64_t NumElements(const std::vector<std::int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

}  // namespace cpp_infer
