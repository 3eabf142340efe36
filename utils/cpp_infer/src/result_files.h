// The files that a run leaves in the working directory; README.md describes them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "cpp_infer/description.h"
#include "cpp_infer/image_input.h"
#include "cpp_infer/paths.h"
#include "cpp_infer/tensor.h"

namespace cpp_infer {

// Writes result_Files/<stem>_<i>.bin for each image and in the end result_Files.json.
class ResultFiles {
 public:
  // Makes the folder, and removes the JSON of an older run: it is there only after a whole one.
  ResultFiles(const std::filesystem::path& folder, std::vector<TensorDescription> outputs);

  // Writes what the engine returned at place `index` of a batch of `batch_size` for an image.
  // Throws std::runtime_error where the outputs are not what the description says.
  void Add(const ImageFile& file, const ImageInput& input, const std::vector<Tensor>& outputs, std::int64_t index,
           std::int64_t batch_size);

  void AddSkipped(const ImageFile& file, const std::string& reason);

  std::size_t num_images() const { return images_.size(); }
  std::size_t num_skipped() const { return skipped_.size(); }

  void Finish(const std::string& suite, const std::filesystem::path& model, const std::string& engine) const;

 private:
  struct Image {
    ImageFile file;
    int height;
    int width;
    double scale_y;
    double scale_x;
  };
  struct Skipped {
    std::string file;
    std::string reason;
  };

  void CheckOutputs(const std::vector<Tensor>& outputs, std::int64_t batch_size);

  std::filesystem::path folder_;
  std::vector<TensorDescription> outputs_;
  std::vector<Image> images_;
  std::vector<Skipped> skipped_;
};

}  // namespace cpp_infer
