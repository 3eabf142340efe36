// Runs an ONNX file with OpenVINO on a CPU.

#include <strings.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <openvino/op/topk.hpp>
#include <openvino/openvino.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "cpp_infer/errors.h"
#include "engines.h"
#include "words.h"

namespace cpp_infer {
namespace {

constexpr double kMostComparisons = 1e6;  // Of a stable TopK.

std::string NumpyName(const ov::element::Type& type) {
  static const std::array<std::pair<ov::element::Type, const char*>, 12> kNames = {{{ov::element::boolean, "bool"},
                                                                                    {ov::element::i8, "int8"},
                                                                                    {ov::element::i16, "int16"},
                                                                                    {ov::element::i32, "int32"},
                                                                                    {ov::element::i64, "int64"},
                                                                                    {ov::element::u8, "uint8"},
                                                                                    {ov::element::u16, "uint16"},
                                                                                    {ov::element::u32, "uint32"},
                                                                                    {ov::element::u64, "uint64"},
                                                                                    {ov::element::f16, "float16"},
                                                                                    {ov::element::f32, "float32"},
                                                                                    {ov::element::f64, "float64"}}};
  const auto known = std::find_if(kNames.begin(), kNames.end(), [&](const auto& pair) { return pair.first == type; });
  if (known == kNames.end()) {
    throw std::runtime_error("the model has a tensor of type " + type.get_type_name() +
                             ", which NumPy does not know: export it in float32");
  }
  return known->second;
}

// Takes away the limit that utils/model_utils/cpu_environment.py has set for MindSpore's oneDNN: OpenVINO's own reads
// the same variable, is slower with it, and has no bfloat16. A user's own value stays.
void TakeLimitAway() {
  const char* limit = std::getenv("ONEDNN_MAX_CPU_ISA");
  const char* own = std::getenv("MSZOO_ISA_LIMIT");
  if (limit == nullptr) {
    return;
  }
  if (own != nullptr && std::strcmp(limit, own) == 0) {
    unsetenv("ONEDNN_MAX_CPU_ISA");
    return;
  }
  // OpenVINO 2026.4.1 crashes on some networks where its oneDNN is held below AVX-512 and its own code is not.
  constexpr std::array kLow = {"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2"};
  const bool is_low =
      std::any_of(kLow.begin(), kLow.end(), [&](const char* name) { return strcasecmp(limit, name) == 0; });
#if defined(__x86_64__)
  if (is_low && __builtin_cpu_supports("avx512f") != 0) {
    throw UserError("ONEDNN_MAX_CPU_ISA is '" + std::string(limit) + "' in the environment, with which OpenVINO " +
                    "crashes on some networks: unset it; what MindSpore needs is set by itself");
  }
#endif
}

ov::AnyMap Settings(ov::Core& core, const EngineOptions& options) {
  const bool is_bf16 = options.cpu_precision == "bf16";
  const auto has = core.get_property("CPU", ov::device::capabilities);
  if (is_bf16 && std::find(has.begin(), has.end(), ov::device::capability::BF16) == has.end()) {
    throw UserError("--cpu_precision is bf16, but this CPU has no bfloat16 (AVX512-BF16 or AMX): leave it out");
  }
  ov::AnyMap settings = {ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY), ov::num_streams(1),
                         ov::hint::inference_precision(is_bf16 ? ov::element::bf16 : ov::element::f32)};
  if (options.num_threads > 0) {
    settings.insert(ov::inference_num_threads(options.num_threads));
  }
  return settings;
}

// Returns the values that a TopK chooses from times those that it chooses, of all rows.
double Comparisons(const ov::Node& top, std::ptrdiff_t axis) {
  double product = 1;
  for (const ov::Dimension& length : top.get_input_partial_shape(0)) {
    product *= length.is_static() ? static_cast<double>(length.get_length()) : 1;
  }
  const ov::Dimension chosen = top.get_output_partial_shape(0)[axis];
  return chosen.is_static() ? product * static_cast<double>(chosen.get_length())
                            : std::numeric_limits<double>::infinity();
}

// Makes TopK take the lower index of equal values, as ONNX asks for (findings/openvino_topk_ties.sh), where that takes
// about a millisecond at most; see utils/engines/openvino_network.py.
void KeepOrderOfEqualValues(const std::shared_ptr<ov::Model>& model) {
  for (const std::shared_ptr<ov::Node>& node : model->get_ordered_ops()) {
    const auto top = std::dynamic_pointer_cast<ov::op::v11::TopK>(node);
    if (top && Comparisons(*node, static_cast<std::ptrdiff_t>(top->get_axis())) <= kMostComparisons) {
      top->set_stable(true);
    }
  }
}

Tensor ToTensor(const ov::Tensor& value) {
  const ov::Shape& shape = value.get_shape();
  Tensor tensor{NumpyName(value.get_element_type()), {shape.begin(), shape.end()}, {}};
  const auto* data = static_cast<const std::byte*>(value.data());
  tensor.data.assign(data, data + value.get_byte_size());
  return tensor;
}

class OpenVinoEngine : public Engine {
 public:
  explicit OpenVinoEngine(const EngineOptions& options) {
    if (!options.device_target.empty() && options.device_target != "CPU") {
      throw UserError("OpenVINO runs on a CPU here, --device_target is " + options.device_target +
                      ": leave it out, or choose another --engine");
    }
    TakeLimitAway();
    ov::Core core;
    const ov::AnyMap settings = Settings(core, options);
    try {
      const std::shared_ptr<ov::Model> model = core.read_model(options.model.string());
      KeepOrderOfEqualValues(model);
      request_ = core.compile_model(model, "CPU", settings).create_infer_request();
    } catch (const ov::Exception& error) {
      throw UserError("OpenVINO cannot load '" + options.model.string() + "' (" + FirstLine(error.what()) +
                      "): give an ONNX file of export.py, or export it again");
    }
  }

  std::vector<TensorDescription> Inputs() override {
    std::vector<TensorDescription> inputs;
    for (const ov::Output<const ov::Node>& input : request_.get_compiled_model().inputs()) {
      TensorDescription description{input.get_any_name(), NumpyName(input.get_element_type()), {}};
      for (const ov::Dimension& length : input.get_partial_shape()) {
        description.shape.push_back(length.is_static() ? length.get_length() : kAnyLength);
      }
      inputs.push_back(std::move(description));
    }
    return inputs;
  }

  std::string Name() const override { return "openvino"; }

  std::vector<Tensor> Run(const std::vector<Tensor>& inputs) override {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const ov::Shape shape(inputs[i].shape.begin(), inputs[i].shape.end());
      // OpenVINO only reads inputs; its tensor has no const form.
      auto* data = const_cast<std::byte*>(inputs[i].data.data());  // NOLINT(cppcoreguidelines-pro-type-const-cast)
      request_.set_input_tensor(i, ov::Tensor(ov::element::f32, shape, data));
    }
    request_.infer();
    std::vector<Tensor> outputs;
    for (std::size_t i = 0; i < request_.get_compiled_model().outputs().size(); ++i) {
      outputs.push_back(ToTensor(request_.get_output_tensor(i)));
    }
    return outputs;
  }

 private:
  ov::InferRequest request_;
};

}  // namespace

std::unique_ptr<Engine> MakeOpenVinoEngine(const EngineOptions& options) {
  return std::make_unique<OpenVinoEngine>(options);
}

}  // namespace cpp_infer
