// The engines themselves; which of them exist is decided when this is built.
#pragma once

#include <memory>

#include "cpp_infer/engine.h"

namespace cpp_infer {

std::unique_ptr<Engine> MakePythonEngine(const EngineOptions& options);
std::unique_ptr<Engine> MakeLiteEngine(const EngineOptions& options);
std::unique_ptr<Engine> MakeOpenVinoEngine(const EngineOptions& options);

}  // namespace cpp_infer
