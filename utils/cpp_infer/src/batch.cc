#include "batch.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "cpp_infer/errors.h"
#include "words.h"

namespace cpp_infer {
namespace {

Tensor MakeTensor(const TensorDescription& description, std::int64_t batch_size) {
  Tensor tensor{description.dtype, description.shape, {}};
  tensor.shape.front() = batch_size;
  tensor.data.resize(static_cast<std::size_t>(NumElements(tensor.shape)) * sizeof(float));
  return tensor;
}

void CopyRow(const float* row, std::size_t length, std::size_t index, Tensor& tensor) {
  std::memcpy(tensor.data.data() + index * length * sizeof(float), row, length * sizeof(float));
}

}  // namespace

std::vector<Tensor> BatchInputs(const ModelDescription& description, const std::vector<BatchItem>& items) {
  const bool is_fixed = description.batch_size() != kAnyLength;
  const std::size_t batch_size = is_fixed ? static_cast<std::size_t>(description.batch_size()) : items.size();
  std::vector<Tensor> inputs;
  for (const TensorDescription& input : description.inputs) {
    inputs.push_back(MakeTensor(input, static_cast<std::int64_t>(batch_size)));
  }
  for (std::size_t i = 0; i < batch_size; ++i) {
    const ImageInput& image = items[std::min(i, items.size() - 1)].input;
    CopyRow(image.pixels.data(), image.pixels.size(), i, inputs[0]);
    if (description.takes_metas()) {
      const std::array metas = {static_cast<float>(image.height), static_cast<float>(image.width),
                                static_cast<float>(image.scale_y), static_cast<float>(image.scale_x)};
      CopyRow(metas.data(), metas.size(), i, inputs[1]);
    }
  }
  return inputs;
}

std::int64_t BatchSize(const ModelDescription& description, int wish) {
  if (description.batch_size() == kAnyLength) {
    return std::max(wish, 1);
  }
  if (wish != 0 && wish != description.batch_size()) {
    throw UserError("--batch_size is " + std::to_string(wish) + " and the model was exported for " +
                    Counted(static_cast<std::size_t>(description.batch_size()), "image") +
                    ": leave the flag out or export it again");
  }
  return description.batch_size();
}

}  // namespace cpp_infer
