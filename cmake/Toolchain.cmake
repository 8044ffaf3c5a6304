# What every target of ours is compiled with: the language, the warnings, and the tools that make builds quick.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

find_program(TRUNKLINE_CCACHE ccache)
if(TRUNKLINE_CCACHE AND PROJECT_IS_TOP_LEVEL AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # ccache refuses precompiled headers unless told that their time stamps do not matter.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${TRUNKLINE_CCACHE})
endif()
include(CheckLinkerFlag)
check_linker_flag(CXX -fuse-ld=mold TRUNKLINE_HAS_MOLD)
if(TRUNKLINE_HAS_MOLD AND PROJECT_IS_TOP_LEVEL)
  add_link_options(-fuse-ld=mold)
endif()

# Without -Wconversion: in codecs it asks for a cast per line, and casts hide more than they show.
set(trunkline_warnings -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wundef
                       -Wno-missing-field-initializers)  # designated initialisers leave fields out on purpose
if(TRUNKLINE_WERROR)
  list(APPEND trunkline_warnings -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  list(APPEND trunkline_warnings -Wno-restrict)  # GCC 105651: wrong about "literal" + std::string
  if(CMAKE_CXX_FLAGS MATCHES "-fsanitize")
    # The instrumentation hides from the optimiser that these cannot happen. Fences: Asio has one, TSan cannot follow it.
    list(APPEND trunkline_warnings -Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-array-bounds -Wno-tsan)
  endif()
  if(CMAKE_UNITY_BUILD)
    list(APPEND trunkline_warnings -Wno-subobject-linkage)  # takes the files of a unit for headers
  endif()
endif()
