# The engine that runs the installed mindspore; MindSpore itself is never linked.
if(NOT CPP_INFER_PYTHON)
  target_sources(cpp_infer PRIVATE src/python_engine_absent.cc)
  return()
endif()

find_package(Python3 3.11...<3.13 REQUIRED COMPONENTS Interpreter Development.Embed)
execute_process(
  COMMAND "${Python3_EXECUTABLE}" -c "import pybind11; print(pybind11.get_include())"
  OUTPUT_VARIABLE pybind11_include OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE pybind11_result ERROR_QUIET)
if(NOT pybind11_result EQUAL 0)
  message(FATAL_ERROR "'${Python3_EXECUTABLE}' has no pybind11: install requirements.txt into it, or choose another "
                      "Python with -DPython3_EXECUTABLE=")
endif()

target_sources(cpp_infer PRIVATE src/python_engine.cc)
target_compile_definitions(cpp_infer PRIVATE
  CPP_INFER_PYTHON_PROGRAM="${Python3_EXECUTABLE}" CPP_INFER_REPOSITORY="${CPP_INFER_REPOSITORY}"
  CPP_INFER_MODULE="${CPP_INFER_MODULE}"
  CPP_INFER_IS_CLONE=${CPP_INFER_IS_CLONE})
target_include_directories(cpp_infer SYSTEM PRIVATE "${pybind11_include}")
target_link_libraries(cpp_infer PRIVATE Python3::Python)
