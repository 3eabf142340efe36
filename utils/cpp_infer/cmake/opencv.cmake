# OpenCV's core, imgproc and imgcodecs as the target cpp_infer_opencv. Debian's packages of single modules bring no CMake
# configuration (only libopencv-dev does, with a gigabyte of others), so that headers and libraries are searched for.
add_library(cpp_infer_opencv INTERFACE)
find_package(OpenCV QUIET COMPONENTS core imgproc imgcodecs)
if(OpenCV_FOUND)
  target_include_directories(cpp_infer_opencv SYSTEM INTERFACE ${OpenCV_INCLUDE_DIRS})
  target_link_libraries(cpp_infer_opencv INTERFACE ${OpenCV_LIBS})
  return()
endif()

find_path(CPP_INFER_OPENCV_INCLUDE opencv2/imgcodecs.hpp PATH_SUFFIXES opencv4)
if(NOT CPP_INFER_OPENCV_INCLUDE)
  message(FATAL_ERROR "OpenCV is missing: apt-get install libopencv-imgcodecs-dev libopencv-imgproc-dev")
endif()
target_include_directories(cpp_infer_opencv SYSTEM INTERFACE "${CPP_INFER_OPENCV_INCLUDE}")
foreach(module imgcodecs imgproc core)
  find_library(CPP_INFER_OPENCV_${module} opencv_${module} REQUIRED)
  target_link_libraries(cpp_infer_opencv INTERFACE "${CPP_INFER_OPENCV_${module}}")
endforeach()
