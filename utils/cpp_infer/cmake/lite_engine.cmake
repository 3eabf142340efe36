# The engine that runs MindSpore Lite, for Ascend 310P and its like.
if(NOT LITE_HOME)
  target_sources(cpp_infer PRIVATE src/lite_engine_absent.cc)
  return()
endif()

find_library(CPP_INFER_LITE_LIBRARY mindspore-lite PATHS "${LITE_HOME}/runtime/lib" NO_DEFAULT_PATH)
if(NOT CPP_INFER_LITE_LIBRARY OR NOT EXISTS "${LITE_HOME}/runtime/include/api/model.h")
  message(FATAL_ERROR "LITE_HOME='${LITE_HOME}' is no cloud package of MindSpore Lite: it lacks "
                      "runtime/lib/libmindspore-lite.so or runtime/include/api/model.h")
endif()

# Lite's headers pass text as std::vector<char>, which is the same in both ABIs: a library of the old one can be linked
# by a program of the new one. Where it still exports functions that take a std::string, this tells which ABI they have.
execute_process(
  COMMAND sh -c "nm -DC --defined-only \"$1\" | grep -c 'std::__cxx11::basic_string'" -- "${CPP_INFER_LITE_LIBRARY}"
  OUTPUT_VARIABLE cxx11_symbols OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
message(STATUS "MindSpore Lite: ${CPP_INFER_LITE_LIBRARY}, symbols of the new C++ ABI: ${cxx11_symbols} "
               "(0: built with the old one; should the link fail, see CPP_INFER_CXX11_ABI in README.md)")

target_sources(cpp_infer PRIVATE src/lite_engine.cc)
target_compile_definitions(cpp_infer PRIVATE CPP_INFER_LITE)
target_include_directories(cpp_infer SYSTEM PRIVATE "${LITE_HOME}/runtime")
target_link_libraries(cpp_infer PRIVATE "${CPP_INFER_LITE_LIBRARY}" ${CMAKE_DL_LIBS})
# DT_RPATH instead of DT_RUNPATH, since the latter does not help Lite's library to find those that it needs itself: so no
# LD_LIBRARY_PATH is needed.
set(lite_folders runtime/lib tools/converter/lib runtime/third_party/dnnl runtime/third_party/glog)
list(TRANSFORM lite_folders PREPEND "-Wl,-rpath,${LITE_HOME}/")
target_link_options(cpp_infer INTERFACE -Wl,--allow-shlib-undefined -Wl,--disable-new-dtags ${lite_folders})
