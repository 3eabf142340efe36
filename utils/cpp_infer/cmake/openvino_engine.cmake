# The engine that runs ONNX files with OpenVINO, where its Python package is installed: it has headers and libraries.
set(openvino_folder "")
if(DEFINED Python3_EXECUTABLE)
  execute_process(
    COMMAND "${Python3_EXECUTABLE}" -c
            "import importlib.util; print(importlib.util.find_spec('openvino').submodule_search_locations[0])"
    OUTPUT_VARIABLE openvino_folder OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
find_package(OpenVINO QUIET COMPONENTS Runtime PATHS "${openvino_folder}/cmake")
if(NOT OpenVINO_FOUND)
  target_sources(cpp_infer PRIVATE src/openvino_engine_absent.cc)
  return()
endif()

message(STATUS "OpenVINO ${OpenVINO_VERSION}: ${OpenVINO_DIR}")
target_sources(cpp_infer PRIVATE src/openvino_engine.cc)
target_compile_definitions(cpp_infer PRIVATE CPP_INFER_OPENVINO)
target_link_libraries(cpp_infer PRIVATE openvino::runtime)
