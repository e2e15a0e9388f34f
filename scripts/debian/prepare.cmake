# SPDX-License-Identifier: GPL-2.0-or-later
# What Debian wants of a package beyond what is installed: cpack runs this over the files before it
# packs them, which are in a folder for each package.
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
foreach(component ${CPACK_COMPONENTS_ALL})
  string(TOUPPER ${component} variable)
  set(package ${CPACK_DEBIAN_${variable}_PACKAGE_NAME})
  set(root ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/${component}/usr)
  set(doc ${root}/share/doc/${package})
  file(WRITE ${doc}/changelog "tcgrr (${CPACK_PACKAGE_VERSION}) unstable; urgency=medium

  * Built from source by cpack.

 -- ${CPACK_PACKAGE_CONTACT}  ${date}
")
  file(GLOB pages ${root}/share/man/man1/*.1)
  execute_process(COMMAND gzip -9n ${doc}/changelog ${pages} COMMAND_ERROR_IS_FATAL ANY)
  # The checkout's files may be writable for a group.
  execute_process(COMMAND install -Dm644 ${CMAKE_CURRENT_LIST_DIR}/copyright ${doc}/copyright
                  COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND install -Dm644 ${CMAKE_CURRENT_LIST_DIR}/overrides-${component}
                          ${root}/share/lintian/overrides/${package} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
