# console_page(VARIABLE): builds web/ and gives the folder with the page's files. Without node, npm or the registry it is
# a page that says so: the API is there all the same, and the next configure tries again.
function(console_page variable)
  set(web ${PROJECT_SOURCE_DIR}/web)
  set(page ${PROJECT_BINARY_DIR}/web/page)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${web}/src/* ${web}/package.json ${web}/package-lock.json
       ${web}/tsconfig.json ${web}/build.mjs ${web}/build)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${sources})
  # Once for all builds of one tree: build/web/ holds the packages, by the lock file's hash.
  cmake_path(GET PROJECT_BINARY_DIR PARENT_PATH shared)
  execute_process(COMMAND ${web}/build ${page} ${shared}/web RESULT_VARIABLE failed ERROR_VARIABLE why
                  OUTPUT_VARIABLE output)
  if(failed)
    message(WARNING "The console's page is not built, and a page that says so stands in its place:\n${why}${output}")
    file(REMOVE_RECURSE ${page})
    file(COPY ${web}/without/ DESTINATION ${page})
  endif()
  set(${variable} ${page} PARENT_SCOPE)
endfunction()
