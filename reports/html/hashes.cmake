# Writes OUT, a line "SHA-256 NAME" for each of FILES (separated by |): what the page's
# Content-Security-Policy lets run.
string(REPLACE "|" ";" files "${FILES}")
set(lines "")
foreach(file IN LISTS files)
  get_filename_component(name ${file} NAME)
  file(SHA256 ${file} hash)
  string(APPEND lines "${hash} ${name}\n")
endforeach()
file(WRITE ${OUT} "${lines}")
