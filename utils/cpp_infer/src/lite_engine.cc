// Runs the model with MindSpore Lite, on Ascend or on a CPU.

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "cpp_infer/errors.h"
#include "engines.h"
#include "include/api/context.h"
#include "include/api/model.h"
#include "include/api/status.h"
#include "include/api/types.h"
#include "mindir_header.h"
#include "words.h"

namespace cpp_infer {
namespace {

using mindspore::MSTensor;
using LiteType = mindspore::DataType;

std::string NumpyName(LiteType type) {
  constexpr std::array<std::pair<LiteType, const char*>, 12> kNames = {{{LiteType::kNumberTypeBool, "bool"},
                                                                        {LiteType::kNumberTypeInt8, "int8"},
                                                                        {LiteType::kNumberTypeInt16, "int16"},
                                                                        {LiteType::kNumberTypeInt32, "int32"},
                                                                        {LiteType::kNumberTypeInt64, "int64"},
                                                                        {LiteType::kNumberTypeUInt8, "uint8"},
                                                                        {LiteType::kNumberTypeUInt16, "uint16"},
                                                                        {LiteType::kNumberTypeUInt32, "uint32"},
                                                                        {LiteType::kNumberTypeUInt64, "uint64"},
                                                                        {LiteType::kNumberTypeFloat16, "float16"},
                                                                        {LiteType::kNumberTypeFloat32, "float32"},
                                                                        {LiteType::kNumberTypeFloat64, "float64"}}};
  for (const auto& [known, name] : kNames) {
    if (known == type) {
      return name;
    }
  }
  throw std::runtime_error("the model has a tensor of MindSpore's type " + std::to_string(static_cast<int>(type)) +
                           ", which NumPy does not know: export it in float32");
}

// Throws std::runtime_error where a call of MindSpore Lite failed.
void Require(const mindspore::Status& status, const std::string& what) {
  if (status.IsError()) {
    throw std::runtime_error("MindSpore Lite cannot " + what + ": " + status.ToString());
  }
}

std::shared_ptr<mindspore::DeviceInfoContext> MakeDevice(const std::string& target, const EngineOptions& options) {
  if (target == "CPU") {
    return std::make_shared<mindspore::CPUDeviceInfo>();
  }
  if (target != "Ascend") {
    throw UserError("MindSpore Lite runs on Ascend or on a CPU, --device_target is " + target + ": choose one of them");
  }
  auto device = std::make_shared<mindspore::AscendDeviceInfo>();
  device->SetDeviceID(static_cast<std::uint32_t>(options.device_id));
  // float16 only where the device has no float32; Lite itself would take it everywhere.
  device->SetPrecisionMode(options.precision_mode.empty() ? "preferred_fp32" : options.precision_mode);
  return device;
}

Tensor ToTensor(const MSTensor& value) {
  Tensor tensor{NumpyName(value.DataType()), value.Shape(), {}};
  const std::shared_ptr<const void> owner = value.Data();  // on this side, whatever the device
  const auto* data = static_cast<const std::byte*>(owner.get());
  if (data == nullptr) {
    throw std::runtime_error("MindSpore Lite returned the output '" + value.Name() + "' without data");
  }
  tensor.data.assign(data, data + value.DataSize());
  return tensor;
}

bool HasAscendDevice() {
  const std::filesystem::path devices = "/dev";
  std::error_code ignored;
  const std::filesystem::directory_iterator files(devices, ignored);
  return std::any_of(begin(files), end(files), [](const std::filesystem::directory_entry& file) {
    const std::string name = file.path().filename().string();
    return name.rfind("davinci", 0) == 0 && name.size() > 7 && std::isdigit(static_cast<unsigned char>(name[7])) != 0;
  });
}

// Returns why a model could not be loaded: whose fault it is.
std::string LoadFailure(const EngineOptions& options, const std::string& target, const std::string& status) {
  const std::string model = "'" + options.model.string() + "'";
  const std::optional<MindIrHeader> header = ReadMindIrHeader(options.model);
  if (!header) {
    return model + " is damaged, or no MindIR: copy it again, or export the model again";
  }
  if (target == "Ascend" && !HasAscendDevice()) {
    return "there is no Ascend device on this machine (no /dev/davinci0): look for it with npu-smi info, or give " +
           std::string("--device_target=CPU");
  }
  const std::string version = header->version > 0 ? " of version " + std::to_string(header->version) : "";
  const std::string producer = header->producer_version.empty() ? "" : ", by MindSpore " + header->producer_version;
  return "MindSpore Lite cannot load " + model + ", a MindIR" + version + producer + " (" + status +
         "): take a MindSpore Lite as new as the MindSpore of the export; where it is, look at the device with " +
         "npu-smi info";
}

class LiteEngine : public Engine {
 public:
  explicit LiteEngine(const EngineOptions& options) {
    const std::string target = options.device_target.empty() ? "Ascend" : options.device_target;
    auto context = std::make_shared<mindspore::Context>();
    context->MutableDeviceInfo().push_back(MakeDevice(target, options));
    if (!options.lite_config.empty()) {
      const mindspore::Status read = model_.LoadConfig(options.lite_config.string());
      if (read.IsError()) {
        throw UserError("MindSpore Lite cannot read '" + options.lite_config.string() + "' (" + read.ToString() +
                        "): correct it, or leave --lite_config out");
      }
    }
    const mindspore::Status status = model_.Build(options.model.string(), mindspore::ModelType::kMindIR, context);
    if (status.IsError()) {
      throw UserError(LoadFailure(options, target, status.ToString()));
    }
  }

  std::string Name() const override { return "lite"; }

  std::vector<TensorDescription> Inputs() override {
    std::vector<TensorDescription> inputs;
    for (const MSTensor& input : model_.GetInputs()) {
      inputs.push_back({input.Name(), NumpyName(input.DataType()), input.Shape()});
    }
    return inputs;
  }

  std::vector<Tensor> Run(const std::vector<Tensor>& inputs) override {
    Resize(inputs);
    std::vector<MSTensor> values = model_.GetInputs();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (values[i].DataSize() != inputs[i].data.size() || NumpyName(values[i].DataType()) != inputs[i].dtype) {
        throw std::runtime_error("input " + std::to_string(i) + " of the model is not what its description says");
      }
      std::memcpy(values[i].MutableData(), inputs[i].data.data(), inputs[i].data.size());
    }
    std::vector<MSTensor> results;
    Require(model_.Predict(values, &results), "run the model");
    std::vector<Tensor> outputs;
    for (const MSTensor& result : results) {
      outputs.push_back(ToTensor(result));
    }
    return outputs;
  }

 private:
  // Tells a model of any batch size how many images come.
  void Resize(const std::vector<Tensor>& inputs) {
    const std::vector<MSTensor> values = model_.GetInputs();
    std::vector<std::vector<std::int64_t>> shapes;
    bool is_other = false;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      shapes.push_back(inputs[i].shape);
      is_other = is_other || values[i].Shape() != inputs[i].shape;
    }
    if (is_other) {
      const mindspore::Status status = model_.Resize(values, shapes);
      if (status.IsError()) {
        throw UserError("MindSpore Lite cannot take " + Counted(AsSize(inputs.front().shape.front()), "image") +
                        " at once (" + status.ToString() + "): on Ascend name the numbers in dynamic_dims of a " +
                        "--lite_config, or export the model with export.py --export_batch_size=1");
      }
    }
  }

  static std::size_t AsSize(std::int64_t count) { return static_cast<std::size_t>(count); }

  mindspore::Model model_;
};

}  // namespace

std::unique_ptr<Engine> MakeLiteEngine(const EngineOptions& options) { return std::make_unique<LiteEngine>(options); }

}  // namespace cpp_infer
