#include "cpp_infer/options.h"

#include "cpp_infer/description.h"
#include "cpp_infer/errors.h"

namespace cpp_infer {
namespace {

constexpr int kMostDevices = 1023;       // Far above the 16 of the largest server, and refuses a mistyped number.
constexpr int kLargestBatch = 4096;      // More would not fit into memory at any useful size of picture.
constexpr int kMostMegapixels = 10'000;  // OpenCV itself decodes a tenth of it.
constexpr int kMostThreads = 256;  // More than the cores of the servers that are meant; refuses a mistyped number.

void RequireFile(const std::filesystem::path& path, const std::string& flag) {
  std::error_code ignored;  // What cannot be looked at is no file either.
  if (!std::filesystem::is_regular_file(path, ignored)) {
    throw UserError("'" + path.string() + "' is no file: give one with --" + flag);
  }
}

}  // namespace

const std::vector<Flag>& KnownFlags() {
  static const std::vector<Flag> kFlags = {
      {"mindir_path", "", "the model, as export.py writes it: .mindir, or .onnx for OpenVINO"},
      {"dataset_path", "", "a folder of images, read with its sub-folders, or one image"},
      {"device_id", "0", "the accelerator to use; without effect on a CPU"},
      {"device_target", "auto", "CPU, GPU or Ascend; auto: Ascend with MindSpore Lite, CPU with Python"},
      {"engine", "auto",
       "openvino (of an ONNX file), lite (MindSpore Lite), python (the installed mindspore); auto: openvino for an "
       "ONNX "
       "file, lite where it was built"},
      {"cpu_precision", "f32", "OpenVINO: f32, or bf16 for bfloat16 inside the network where the CPU has it"},
      {"num_threads", "0", "OpenVINO: threads of the network; 0: one for each core"},
      {"precision_mode", "auto",
       "MindSpore Lite on Ascend: enforce_fp32, preferred_fp32, enforce_fp16, enforce_origin or preferred_optimal; "
       "auto: "
       "preferred_fp32, float16 only where the device has no float32"},
      {"lite_config", "", "MindSpore Lite's configuration file, e.g. with the sizes of a dynamic batch"},
      {"config", "", "the model's description; by default the .json beside the model"},
      {"on_bad_image", "skip", "skip: name, count and leave out what is no image; fail: stop at the first"},
      {"batch_size", "0", "images in a call; 0: as exported, 1 for a model that takes any number"},
      {"num_loaders", "2", "threads that decode and resize images"},
      {"max_image_megapixels", "120", "millions of pixels of the largest image that is decoded"},
      {"python", "", "interpreter of the Python engine; by default the one found when this was built"},
  };
  return kFlags;
}

Options ReadOptions(const Flags& flags) {
  Options options;
  options.model = flags.Required("mindir_path");
  options.dataset = flags.Required("dataset_path");
  options.is_description_given = !flags.Text("config").empty();
  options.description =
      options.is_description_given ? std::filesystem::path(flags.Text("config")) : DescriptionPath(options.model);
  options.engine = flags.Choice("engine", {"auto", "python", "lite", "openvino"});
  const std::string& target = flags.Choice("device_target", {"auto", "CPU", "GPU", "Ascend"});
  options.device_target = target == "auto" ? "" : target;
  options.device_id = flags.Integer("device_id", 0, kMostDevices);
  options.bad_images = flags.Choice("on_bad_image", {"skip", "fail"}) == "skip" ? BadImages::kSkip : BadImages::kFail;
  options.batch_size = flags.Integer("batch_size", 0, kLargestBatch);
  options.num_loaders = flags.Integer("num_loaders", 1, kMostThreads);
  options.num_threads = flags.Integer("num_threads", 0, kMostThreads);
  options.cpu_precision = flags.Choice("cpu_precision", {"f32", "bf16"});
  const std::string& mode = flags.Choice("precision_mode", {"auto", "enforce_fp32", "preferred_fp32", "enforce_fp16",
                                                            "enforce_origin", "preferred_optimal"});
  options.precision_mode = mode == "auto" ? "" : mode;
  options.lite_config = flags.Text("lite_config");
  options.most_pixels =
      std::uint64_t{1'000'000} * static_cast<std::uint64_t>(flags.Integer("max_image_megapixels", 1, kMostMegapixels));
  options.python = flags.Text("python");
  RequireFile(options.model, "mindir_path");
  if (!options.lite_config.empty()) {
    RequireFile(options.lite_config, "lite_config");
  }
  if (!options.python.empty()) {
    RequireFile(options.python, "python");
  }
  return options;
}

}  // namespace cpp_infer
