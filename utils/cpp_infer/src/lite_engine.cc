// Runs the model with MindSpore Lite, on Ascend or on a CPU.

#include <array>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "cpp_infer/errors.h"
#include "engines.h"
#include "include/api/context.h"
#include "include/api/model.h"
#include "include/api/status.h"
#include "include/api/types.h"
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

std::shared_ptr<mindspore::DeviceInfoContext> MakeDevice(const std::string& target, int device_id) {
  if (target == "CPU") {
    return std::make_shared<mindspore::CPUDeviceInfo>();
  }
  if (target != "Ascend") {
    throw UserError("MindSpore Lite runs on Ascend or on a CPU, --device_target is " + target + ": choose one of them");
  }
  auto device = std::make_shared<mindspore::AscendDeviceInfo>();
  device->SetDeviceID(static_cast<std::uint32_t>(device_id));
  device->SetPrecisionMode("preferred_fp32");  // float16 only where the device has no float32
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

class LiteEngine : public Engine {
 public:
  explicit LiteEngine(const EngineOptions& options) {
    auto context = std::make_shared<mindspore::Context>();
    context->MutableDeviceInfo().push_back(
        MakeDevice(options.device_target.empty() ? "Ascend" : options.device_target, options.device_id));
    const mindspore::Status status = model_.Build(options.model.string(), mindspore::ModelType::kMindIR, context);
    if (status.IsError()) {
      throw UserError("MindSpore Lite cannot load '" + options.model.string() + "' (" + status.ToString() +
                      "): check the device with npu-smi info, and that Lite is as new as the MindSpore of the export");
    }
  }

  std::string Name() const override { return "lite"; }

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
    if (values.size() != inputs.size()) {
      throw std::runtime_error("the model takes " + Counted(values.size(), "input") + ", its description says " +
                               std::to_string(inputs.size()) + ": export it again");
    }
    std::vector<std::vector<std::int64_t>> shapes;
    bool is_other = false;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      shapes.push_back(inputs[i].shape);
      is_other = is_other || values[i].Shape() != inputs[i].shape;
    }
    if (is_other) {
      Require(model_.Resize(values, shapes), "change the number of images");
    }
  }

  mindspore::Model model_;
};

}  // namespace

std::unique_ptr<Engine> MakeLiteEngine(const EngineOptions& options) { return std::make_unique<LiteEngine>(options); }

}  // namespace cpp_infer
