// What runs the model.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cpp_infer/tensor.h"

namespace cpp_infer {

struct EngineOptions {
  std::string kind;  // "auto", "python" or "lite".
  std::filesystem::path model;
  std::string device_target;  // "" for the engine's usual one.
  int device_id = 0;
  std::filesystem::path python;  // Interpreter of the Python engine; "" for the one found when this was built.
};

class Engine {
 public:
  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;

  virtual std::string Name() const = 0;

  // Runs the model once; inputs and outputs stand in its order. The first call may compile it.
  virtual std::vector<Tensor> Run(const std::vector<Tensor>& inputs) = 0;
};

// Makes an engine and loads the model. "auto" takes MindSpore Lite where it was built.
// Throws UserError where this program was built without that engine, or the model cannot be loaded.
std::unique_ptr<Engine> MakeEngine(const EngineOptions& options);

}  // namespace cpp_infer
