// Runs the model with the mindspore that is installed in a Python environment, in an interpreter inside this process.

#include <pybind11/embed.h>
#include <pybind11/numpy.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "cpp_infer/errors.h"
#include "engines.h"
#include "mindir_header.h"
#include "words.h"

namespace cpp_infer {
namespace {

namespace py = pybind11;

// Owns a PyConfig.
class Configuration {
 public:
  // An interpreter that finds its packages by where its program lies needs no environment variable.
  explicit Configuration(const std::filesystem::path& program) {
    PyConfig_InitPythonConfig(&config_);
    config_.install_signal_handlers = 0;
    config_.parse_argv = 0;
    Set(&config_.executable, program);
    Set(&config_.program_name, program);
  }
  Configuration(const Configuration&) = delete;
  Configuration& operator=(const Configuration&) = delete;
  ~Configuration() { PyConfig_Clear(&config_); }

  PyConfig* get() { return &config_; }

 private:
  void Set(wchar_t** field, const std::filesystem::path& value) {
    if (PyStatus_Exception(PyConfig_SetBytesString(&config_, field, value.c_str())) != 0) {
      throw std::bad_alloc();
    }
  }

  PyConfig config_{};
};

std::filesystem::path Interpreter(const EngineOptions& options) {
  const std::filesystem::path program = options.python.empty() ? CPP_INFER_PYTHON_PROGRAM : options.python;
  if (!std::filesystem::exists(program)) {
    throw UserError("Python '" + program.string() + "', with which this program was built, is gone: give another " +
                    "with --python or build again");
  }
  return std::filesystem::absolute(program);
}

std::unique_ptr<py::scoped_interpreter> StartInterpreter(const EngineOptions& options) {
  const std::filesystem::path program = Interpreter(options);
  Configuration configuration(program);
  try {
    constexpr bool kAddsProgramFolder = false;
    return std::make_unique<py::scoped_interpreter>(configuration.get(), 0, nullptr, kAddsProgramFolder);
  } catch (const std::runtime_error& error) {
    throw UserError("Python '" + program.string() + "' cannot be started (" + error.what() + "): give one of version " +
                    PY_VERSION + " with --python or build again");
  }
}

// Throws the C++ exception that fits one of Python.
[[noreturn]] void Translate(py::error_already_set& error) {
  const bool is_import = error.matches(PyExc_ImportError);
  const py::module_ errors = py::module_::import("utils.model_utils.errors");
  const std::string text = FirstLine(py::str(error.value()));
  if (error.matches(errors.attr("UserError"))) {
    throw UserError(text);
  }
  const std::string type = py::str(error.type().attr("__name__"));
  if (is_import) {
    throw UserError("the Python engine cannot be imported (" + text + "): give a Python with mindspore by --python");
  }
  throw std::runtime_error("the Python engine failed: " + type + ": " + text);
}

py::array ToArray(const Tensor& tensor) {
  // A view: the base object keeps NumPy from copying, and the tensor outlives the call.
  return py::array(py::dtype(tensor.dtype), tensor.shape, tensor.data.data(), py::none());
}

Tensor ToTensor(const py::handle& value) {
  const auto array = py::array::ensure(value, py::array::c_style);
  Tensor tensor{py::str(array.dtype().attr("name")), {array.shape(), array.shape() + array.ndim()}, {}};
  const auto* data = static_cast<const std::byte*>(array.data());
  tensor.data.assign(data, data + array.nbytes());
  return tensor;
}

class PythonEngine : public Engine {
 public:
  explicit PythonEngine(const EngineOptions& options) : file_(options.model), interpreter_(StartInterpreter(options)) {
    try {
      // A clone comes first; a folder of installed packages comes last, as it may have a typing.py older than Python's.
      const py::object path = py::module_::import("sys").attr("path");
      path.attr("insert")(CPP_INFER_IS_CLONE ? 0 : py::len(path), CPP_INFER_REPOSITORY);
      const py::module_ module = py::module_::import(CPP_INFER_MODULE);
      const std::string target = options.device_target.empty() ? "CPU" : options.device_target;
      model_ = module.attr("Model")(options.model.string(), target, options.device_id);
    } catch (py::error_already_set& error) {
      Translate(error);
    }
  }

  std::string Name() const override { return "python"; }

  std::vector<TensorDescription> Inputs() override {  // A graph that MindSpore has loaded does not say them.
    const std::optional<MindIrHeader> header = ReadMindIrHeader(file_);
    std::vector<TensorDescription> inputs;
    if (header) {
      for (const std::vector<std::int64_t>& shape : header->input_shapes) {
        inputs.push_back({"", "", shape});
      }
    }
    return inputs;
  }

  std::vector<Tensor> Run(const std::vector<Tensor>& inputs) override {
    try {
      py::list arrays;
      for (const Tensor& input : inputs) {
        arrays.append(ToArray(input));
      }
      std::vector<Tensor> outputs;
      for (const py::handle output : model_.attr("run")(arrays)) {
        outputs.push_back(ToTensor(output));
      }
      return outputs;
    } catch (py::error_already_set& error) {
      Translate(error);
    }
  }

 private:
  std::filesystem::path file_;
  std::unique_ptr<py::scoped_interpreter> interpreter_;  // Goes after the model.
  py::object model_;
};

}  // namespace

std::unique_ptr<Engine> MakePythonEngine(const EngineOptions& options) {
  return std::make_unique<PythonEngine>(options);
}

}  // namespace cpp_infer
