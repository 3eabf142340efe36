#include "result_files.h"

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "words.h"

namespace cpp_infer {
namespace {

using nlohmann::ordered_json;

constexpr char kFolder[] = "result_Files";
constexpr char kIndex[] = "result_Files.json";

std::string Text(const std::vector<std::int64_t>& shape) { return ordered_json(shape).dump(); }

std::vector<std::int64_t> WithoutBatch(const std::vector<std::int64_t>& shape) {
  return {shape.begin() + 1, shape.end()};
}

}  // namespace

ResultFiles::ResultFiles(const std::filesystem::path& folder, std::vector<TensorDescription> outputs)
    : folder_(folder), outputs_(std::move(outputs)) {
  MakeFolder(folder_ / kFolder);
  std::filesystem::remove(folder_ / kIndex);
}

void ResultFiles::Add(const ImageFile& file, const ImageInput& input, const std::vector<Tensor>& outputs,
                      std::int64_t index, std::int64_t batch_size) {
  CheckOutputs(outputs, batch_size);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::size_t num_bytes = outputs[i].data.size() / static_cast<std::size_t>(batch_size);
    WriteFile(folder_ / kFolder / (file.stem + "_" + std::to_string(i) + ".bin"),
              outputs[i].data.data() + static_cast<std::size_t>(index) * num_bytes, num_bytes);
  }
  images_.push_back({file, input.height, input.width, input.scale_y, input.scale_x});
}

void ResultFiles::AddSkipped(const ImageFile& file, const std::string& reason) {
  skipped_.push_back({file.name, reason});
}

void ResultFiles::Finish(const std::string& suite, const std::filesystem::path& model,
                         const std::string& engine) const {
  ordered_json index = {{"suite", suite},
                        {"model", model.string()},
                        {"engine", engine},
                        {"outputs", ordered_json::array()},
                        {"images", ordered_json::array()},
                        {"skipped", ordered_json::array()}};
  for (const TensorDescription& output : outputs_) {
    index["outputs"].push_back({{"name", output.name}, {"dtype", output.dtype}, {"shape", WithoutBatch(output.shape)}});
  }
  for (const Image& image : images_) {
    index["images"].push_back({{"file", image.file.name},
                               {"stem", image.file.stem},
                               {"height", image.height},
                               {"width", image.width},
                               {"scale_y", image.scale_y},
                               {"scale_x", image.scale_x}});
  }
  for (const Skipped& skipped : skipped_) {
    index["skipped"].push_back({{"file", skipped.file}, {"reason", skipped.reason}});
  }
  constexpr int kIndent = 1;  // File names need not be UTF-8: what is none is replaced.
  WriteFile(folder_ / kIndex, index.dump(kIndent, ' ', false, ordered_json::error_handler_t::replace) + "\n");
}

void ResultFiles::CheckOutputs(const std::vector<Tensor>& outputs, std::int64_t batch_size) {
  if (outputs.size() != outputs_.size()) {
    throw std::runtime_error("the model has " + Counted(outputs.size(), "output") + ", its description " +
                             std::to_string(outputs_.size()) + ": export it again");
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    std::vector<std::int64_t> wanted = outputs_[i].shape;
    if (!wanted.empty()) {
      wanted.front() = batch_size;
    }
    if (wanted.empty() || outputs[i].shape != wanted) {
      throw std::runtime_error("output '" + outputs_[i].name + "' has the shape " + Text(outputs[i].shape) +
                               ", its description says " + Text(wanted) + ": export the model again");
    }
    outputs_[i].dtype = outputs[i].dtype;  // An accelerator may have made float16 of it.
  }
}

}  // namespace cpp_infer
