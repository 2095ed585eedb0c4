#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace bridge {

// What a GGUF says of itself, as far as llama.cpp does not tell it.
struct metadata {
    size_t header = 0;          // bytes in front of the tensors' values
    std::string tokenizer, pre; // tokenizer.ggml.model and .pre
    std::vector<bool> control;  // tokens of the type control
    bool names_bos = false;     // tokenizer.ggml.bos_token_id is there and a token, and so on
    bool names_eos = false;
};

// Throws a failure where the metadata of the GGUF at path are not as llama.cpp takes for granted
// and would read beyond the end of an array, or not come to an end.
metadata read_metadata(const char * path);

}  // namespace bridge
