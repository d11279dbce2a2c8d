# The core of prometheus-cpp as a target, prometheus_core::prometheus_core. The package's own
# configuration also wants what its server and client need. Installed beside brownoutConfig.cmake.
find_path(PROMETHEUS_INCLUDE prometheus/registry.h)
find_library(PROMETHEUS_CORE_LIBRARY prometheus-cpp-core)
mark_as_advanced(PROMETHEUS_INCLUDE PROMETHEUS_CORE_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(prometheus_core
  REQUIRED_VARS PROMETHEUS_CORE_LIBRARY PROMETHEUS_INCLUDE)

if(prometheus_core_FOUND AND NOT TARGET prometheus_core::prometheus_core)
  add_library(prometheus_core::prometheus_core UNKNOWN IMPORTED)
  set_target_properties(prometheus_core::prometheus_core PROPERTIES
    IMPORTED_LOCATION "${PROMETHEUS_CORE_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${PROMETHEUS_INCLUDE}")
endif()
