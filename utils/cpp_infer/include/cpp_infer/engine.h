// What runs the model.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cpp_infer/description.h"
#include "cpp_infer/tensor.h"

namespace cpp_infer {

struct EngineOptions {
  std::string kind;  // "auto", "python", "lite" or "openvino".
  std::filesystem::path model;
  std::string device_target;  // "" for the engine's usual one.
  int device_id = 0;
  std::string cpu_precision;          // OpenVINO: "f32" or "bf16".
  int num_threads = 0;                // OpenVINO: of the network; 0: one for each core.
  std::string precision_mode;         // MindSpore Lite: on Ascend; "" for its own choice here, preferred_fp32.
  std::filesystem::path lite_config;  // MindSpore Lite: its configuration file; "" for none.
  std::filesystem::path python;       // Interpreter of the Python engine; "" for the one found when this was built.
};

class Engine {
 public:
  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;

  virtual std::string Name() const = 0;

  // Returns what the loaded model takes, in its order: types as NumPy names them, "" where they are not known, and
  // shapes, in which kAnyLength stands for any length. Empty where nobody can tell.
  virtual std::vector<TensorDescription> Inputs() = 0;

  // Runs the model once; inputs and outputs stand in its order. The first call may compile it.
  virtual std::vector<Tensor> Run(const std::vector<Tensor>& inputs) = 0;
};

// Makes an engine and loads the model. "auto" takes OpenVINO for an ONNX file; for a MindIR MindSpore Lite where it was
// built.
// Throws UserError where this program was built without that engine, or the model cannot be loaded.
std::unique_ptr<Engine> MakeEngine(const EngineOptions& options);

}  // namespace cpp_infer
