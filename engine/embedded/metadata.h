#pragma once

namespace bridge {

// Throws a failure where the metadata of the GGUF at path are not as llama.cpp takes for granted
// and would read beyond the end of an array.
void check_metadata(const char * path);

}  // namespace bridge
