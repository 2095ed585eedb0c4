#include "metadata.h"

#include "ggml-cpp.h"
#include "guard.h"
#include "llama.h"

#include <climits>
#include <initializer_list>
#include <string_view>
#include <unordered_map>

namespace bridge {

// Index of the array at key, which has elements of one of these types; -1: there is none.
static int64_t find_array(const gguf_context * file, const char * key, std::initializer_list<gguf_type> types) {
    const int64_t id = gguf_find_key(file, key);
    if (id < 0) return -1;
    bool fits = false;
    if (gguf_get_kv_type(file, id) == GGUF_TYPE_ARRAY) {
        for (gguf_type type : types) fits |= gguf_get_arr_type(file, id) == type;
    }
    if (!fits) throw failure(BRIDGE_LOAD, std::string(key) + " has another type than it must have");
    return id;
}

static std::string text(const gguf_context * file, const char * key) {
    const int64_t id = gguf_find_key(file, key);
    return id >= 0 && gguf_get_kv_type(file, id) == GGUF_TYPE_STRING ? gguf_get_val_str(file, id) : "";
}

static bool names_token(const gguf_context * file, const char * key, int64_t tokens) {
    const int64_t id = gguf_find_key(file, key);
    return id >= 0 && gguf_get_kv_type(file, id) == GGUF_TYPE_UINT32 && gguf_get_val_u32(file, id) < tokens;
}

// Only tokenizers that keep a text as it is, and that come to an end with every text.
static void check_tokenizer(const std::string & name) {
    for (const char * known : {"gpt2", "llama", "t5"}) {
        if (name == known) return;
    }
    if (name == "none" || name == "no_vocab") throw failure(BRIDGE_UNSUPPORTED, "a tokenizer outside its file");
    if (name == "bert") throw failure(BRIDGE_UNSUPPORTED, "WordPiece, which does not keep a text as it is");
    if (name == "rwkv") throw failure(BRIDGE_UNSUPPORTED, "RWKV's tokenizer");
    throw failure(BRIDGE_LOAD, "tokenizer.ggml.model is \"" + name + "\", which is none of gpt2, llama, t5");
}

// The texts of tokens are distinct: llama.cpp finds them by their texts.
static void check_tokens(const gguf_context * file, int64_t key, int64_t tokens) {
    std::unordered_map<std::string_view, int64_t> seen;
    seen.reserve(tokens);
    for (int64_t i = 0; i < tokens; i++) {
        const char * word           = gguf_get_arr_str(file, key, i);
        const auto [place, is_new] = seen.emplace(word, i);
        if (is_new || !*word) continue;
        throw failure(BRIDGE_LOAD, "tokenizer.ggml.tokens has the same text for " + std::to_string(place->second) +
                                       " and " + std::to_string(i));
    }
}

// The replacements of a normalizer are texts that end with a zero, behind a table and its length.
static void check_charsmap(const gguf_context * file) {
    const char * key = "tokenizer.ggml.precompiled_charsmap";
    const int64_t id = find_array(file, key, {GGUF_TYPE_UINT8, GGUF_TYPE_INT8});
    if (id < 0) return;
    const size_t size = gguf_get_arr_n(file, id);
    if (size < 5 || static_cast<const char *>(gguf_get_arr_data(file, id))[size - 1] != 0) {
        throw failure(BRIDGE_LOAD, std::string(key) + " is cut off");
    }
}

metadata read_metadata(const char * path) {
    const gguf_context_ptr owner(gguf_init_from_file(path, {/*.no_alloc =*/ true, /*.ctx =*/ nullptr}));
    const gguf_context * file = owner.get();
    if (!file) throw failure(BRIDGE_LOAD, guard::current()->log);

    metadata m;
    m.header    = gguf_get_data_offset(file);
    m.tokenizer = text(file, "tokenizer.ggml.model");
    m.pre       = text(file, "tokenizer.ggml.pre");
    check_tokenizer(m.tokenizer);

    const int64_t list   = find_array(file, "tokenizer.ggml.tokens", {GGUF_TYPE_STRING});
    const int64_t tokens = list < 0 ? 0 : (int64_t) gguf_get_arr_n(file, list);
    // 11 is the highest id that llama.cpp takes a token to have of which the file says nothing.
    if (tokens < 12 || tokens > INT_MAX) {
        throw failure(BRIDGE_LOAD, "tokenizer.ggml.tokens has " + std::to_string(tokens) + " tokens");
    }
    find_array(file, "tokenizer.ggml.merges", {GGUF_TYPE_STRING});
    const int64_t types  = find_array(file, "tokenizer.ggml.token_type", {GGUF_TYPE_INT32, GGUF_TYPE_UINT32});
    const int64_t scores = find_array(file, "tokenizer.ggml.scores", {GGUF_TYPE_FLOAT32});
    for (int64_t id : {types, scores}) {
        if (id < 0 || (int64_t) gguf_get_arr_n(file, id) == tokens) continue;
        throw failure(BRIDGE_LOAD, std::string(gguf_get_key(file, id)) + " has " +
                                       std::to_string(gguf_get_arr_n(file, id)) + " values for " +
                                       std::to_string(tokens) + " tokens");
    }
    check_tokens(file, list, tokens);
    check_charsmap(file);
    m.control.resize(tokens);
    for (int64_t i = 0; types >= 0 && i < tokens; i++) {
        m.control[i] = static_cast<const int32_t *>(gguf_get_arr_data(file, types))[i] == LLAMA_TOKEN_TYPE_CONTROL;
    }
    m.names_bos = names_token(file, "tokenizer.ggml.bos_token_id", tokens);
    m.names_eos = names_token(file, "tokenizer.ggml.eos_token_id", tokens);
    return m;
}

}  // namespace bridge
