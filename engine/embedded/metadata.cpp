#include "metadata.h"

#include "ggml-cpp.h"
#include "guard.h"

#include <climits>
#include <initializer_list>

namespace bridge {

// Length of the array at key, which has elements of one of these types; -1: there is none.
static int64_t array_length(const gguf_context * file, const char * key, std::initializer_list<gguf_type> types) {
    const int64_t id = gguf_find_key(file, key);
    if (id < 0) return -1;
    bool fits = false;
    if (gguf_get_kv_type(file, id) == GGUF_TYPE_ARRAY) {
        for (gguf_type type : types) fits |= gguf_get_arr_type(file, id) == type;
    }
    if (!fits) throw failure(BRIDGE_LOAD, std::string(key) + " has another type than it must have");
    return (int64_t) gguf_get_arr_n(file, id);
}

void check_metadata(const char * path) {
    const gguf_context_ptr file(gguf_init_from_file(path, {/*.no_alloc =*/ true, /*.ctx =*/ nullptr}));
    if (!file) throw failure(BRIDGE_LOAD, guard::current()->log);

    const int64_t tokens = array_length(file.get(), "tokenizer.ggml.tokens", {GGUF_TYPE_STRING});
    if (tokens < 1 || tokens > INT_MAX) throw failure(BRIDGE_LOAD, "tokenizer.ggml.tokens has no tokens");
    array_length(file.get(), "tokenizer.ggml.merges", {GGUF_TYPE_STRING});
    const struct { const char * key; int64_t length; } lists[] = {
        {"tokenizer.ggml.scores", array_length(file.get(), "tokenizer.ggml.scores", {GGUF_TYPE_FLOAT32})},
        {"tokenizer.ggml.token_type",
         array_length(file.get(), "tokenizer.ggml.token_type", {GGUF_TYPE_INT32, GGUF_TYPE_UINT32})},
    };
    for (const auto & list : lists) {
        if (list.length < 0 || list.length == tokens) continue;
        throw failure(BRIDGE_LOAD, std::string(list.key) + " has " + std::to_string(list.length) + " values for " +
                                       std::to_string(tokens) + " tokens");
    }
}

}  // namespace bridge
