# The shapes our targets come in. A folder of src/ is a part; its tests stand beside the code as NAME_test.cc.
set(trunkline_threaded_parts pool net client policy metrics server)  # their tests run under ThreadSanitizer too

set(trunkline_std_headers <algorithm> <array> <atomic> <chrono> <cstdint> <cstring> <deque> <functional> <list> <map>
                          <memory> <mutex> <optional> <span> <string> <string_view> <thread> <unordered_map> <utility>
                          <variant> <vector>)

# Quick to compile: it is the code under test that must be what users get, and that sanitizers must watch.
set(trunkline_test_flags -O0 -fno-sanitize=undefined)
if(CMAKE_UNITY_BUILD)
  list(APPEND trunkline_test_flags -Wno-shadow)  # a row of one test and a row of another are no mistake
endif()

# Where several files are compiled as one (release, sanitizers), their helpers share a namespace: what a folder's files
# need in common has a header; a test whose helpers are named like those of another keeps them in a namespace of its own.
#
# Flags of our own code. KIND names the precompiled header to share: `library`, `program`, or `test`, which has
# GoogleTest in it. Sharing needs the very same flags, so programs leave -fPIE to the compiler's own default.
function(trunkline_compile target kind)
  target_compile_options(${target} PRIVATE ${trunkline_warnings})
  target_compile_definitions(${target} PRIVATE TRUNKLINE_VERSION="${PROJECT_VERSION}")
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
  if(NOT kind STREQUAL library)
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  endif()
  if(kind STREQUAL program)
    set_target_properties(${target} PROPERTIES UNITY_BUILD OFF)  # benchmarks, examples: each file is a program
  endif()
  if(kind STREQUAL test)
    target_compile_options(${target} PRIVATE ${trunkline_test_flags})
  endif()
  if(TRUNKLINE_PCH)
    if(NOT TARGET trunkline_pch_${kind})
      file(WRITE ${PROJECT_BINARY_DIR}/pch_${kind}.cc "")
      add_library(trunkline_pch_${kind} OBJECT ${PROJECT_BINARY_DIR}/pch_${kind}.cc)
      get_target_property(pic ${target} POSITION_INDEPENDENT_CODE)
      set_target_properties(trunkline_pch_${kind} PROPERTIES POSITION_INDEPENDENT_CODE ${pic})
      target_compile_options(trunkline_pch_${kind} PRIVATE ${trunkline_warnings})
      target_precompile_headers(trunkline_pch_${kind} PRIVATE ${trunkline_std_headers})
      if(kind STREQUAL test)
        target_compile_options(trunkline_pch_${kind} PRIVATE ${trunkline_test_flags})
        target_precompile_headers(trunkline_pch_${kind} PRIVATE <gtest/gtest.h>)
        target_link_libraries(trunkline_pch_${kind} PRIVATE GTest::gtest)
      endif()
    endif()
    target_precompile_headers(${target} REUSE_FROM trunkline_pch_${kind})
  endif()
endfunction()

# trunkline_part(NAME pool [DEPENDS base url...] [LIBRARIES OpenSSL::SSL...] [SERVICE])
# The part trunkline_pool from all *.cc of this folder, and pool_test from its *_test.cc. A SERVICE stands in services/ and
# is no part of the library: programs name it. Its headers are included from the root, as "services/NAME/...".
function(trunkline_part)
  cmake_parse_arguments(PARSE_ARGV 0 arg SERVICE NAME "DEPENDS;LIBRARIES")
  file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_test.cc)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  list(REMOVE_ITEM sources ${tests})

  # Everything below this part, itself first: object files are not passed on by CMake, so programs name them all.
  set(below ${arg_NAME})
  foreach(part IN LISTS arg_DEPENDS)
    get_property(more GLOBAL PROPERTY TRUNKLINE_BELOW_${part})
    list(APPEND below ${more})
  endforeach()
  list(REMOVE_DUPLICATES below)
  set_property(GLOBAL PROPERTY TRUNKLINE_BELOW_${arg_NAME} ${below})

  add_library(trunkline_${arg_NAME} OBJECT ${sources})
  trunkline_compile(trunkline_${arg_NAME} library)
  if(NOT DEFINED CMAKE_UNITY_BUILD_BATCH_SIZE)  # as the preset `lint` says: a part is one unit
    set_target_properties(trunkline_${arg_NAME} PROPERTIES UNITY_BUILD_BATCH_SIZE 16)
  endif()
  if(arg_SERVICE)
    target_include_directories(trunkline_${arg_NAME} PUBLIC ${PROJECT_SOURCE_DIR})
  else()
    set_property(GLOBAL APPEND PROPERTY TRUNKLINE_PARTS ${arg_NAME})
  endif()
  target_link_libraries(trunkline_${arg_NAME} PUBLIC ${arg_LIBRARIES})

  if(TRUNKLINE_TESTS AND tests)
    set(labels unit)
    if(arg_NAME IN_LIST trunkline_threaded_parts)
      list(APPEND labels threads)
    endif()
    list(TRANSFORM below PREPEND trunkline_)
    trunkline_test(NAME ${arg_NAME}_test SOURCES ${tests} PARTS ${below} LABELS ${labels})
  endif()
endfunction()

# trunkline_test(NAME name SOURCES a.cc... [LIBRARIES lib...] [LABELS threads...] [TIMEOUT seconds] [SERIAL] [ARGS...])
# A GoogleTest program, run by ctest as one test. It links the whole library unless PARTS names some. The label
# `threads` makes ThreadSanitizer run it too; SERIAL keeps others from running beside it.
function(trunkline_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg SERIAL "NAME;TIMEOUT" "SOURCES;PARTS;LIBRARIES;LABELS;ARGS")
  if(NOT arg_PARTS)
    set(arg_PARTS trunkline)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_executable(${arg_NAME} ${arg_SOURCES})
  trunkline_compile(${arg_NAME} test)
  target_link_libraries(${arg_NAME} PRIVATE ${arg_PARTS} ${arg_LIBRARIES} GTest::gtest_main)
  set_target_properties(${arg_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  add_test(NAME ${arg_NAME} COMMAND ${arg_NAME} ${arg_ARGS} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${arg_NAME} PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}" RUN_SERIAL ${arg_SERIAL})
  if(threads IN_LIST arg_LABELS)
    add_dependencies(threaded_tests ${arg_NAME})
  endif()
endfunction()
