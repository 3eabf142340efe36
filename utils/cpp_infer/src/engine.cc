#include "cpp_infer/engine.h"

#include "cpp_infer/errors.h"
#include "engines.h"

namespace cpp_infer {
namespace {

void RefuseOptions(const EngineOptions& options, bool is_openvino, bool is_lite) {
  if (!is_openvino && options.cpu_precision == "bf16") {
    throw UserError("--cpu_precision=bf16 acts with OpenVINO alone: give an ONNX file, or leave it out");
  }
  if (!is_openvino && options.num_threads != 0) {
    throw UserError("--num_threads acts with OpenVINO alone: give an ONNX file, or leave it out");
  }
  if (!is_lite && !(options.precision_mode.empty() && options.lite_config.empty())) {
    const std::string flag = options.precision_mode.empty() ? "lite_config" : "precision_mode";
    throw UserError("--" + flag + " acts with MindSpore Lite alone, which is not the engine here: leave it out");
  }
}

}  // namespace

std::unique_ptr<Engine> MakeEngine(const EngineOptions& options) {
  if (options.kind == "openvino" || (options.kind == "auto" && options.model.extension() == ".onnx")) {
    RefuseOptions(options, true, false);
    return MakeOpenVinoEngine(options);
  }
#ifdef CPP_INFER_LITE
  const bool takes_lite = options.kind != "python";
#else
  const bool takes_lite = options.kind == "lite";
#endif
  RefuseOptions(options, false, takes_lite);
  return takes_lite ? MakeLiteEngine(options) : MakePythonEngine(options);
}

}  // namespace cpp_infer
