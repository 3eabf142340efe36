// Images on their way through the engine together.
#pragma once

#include <cstdint>
#include <vector>

#include "cpp_infer/description.h"
#include "cpp_infer/image_input.h"
#include "cpp_infer/paths.h"
#include "cpp_infer/tensor.h"

namespace cpp_infer {

struct BatchItem {
  const ImageFile* file;
  ImageInput input;
};

// Returns the model's inputs for `items`, at least one. A model that was exported for a fixed number of images gets
// that many: the last image is repeated.
std::vector<Tensor> BatchInputs(const ModelDescription& description, const std::vector<BatchItem>& items);

// Returns how many images a call takes. Throws UserError where the wish, if it is not 0, is not the model's number.
std::int64_t BatchSize(const ModelDescription& description, int wish);

}  // namespace cpp_infer
