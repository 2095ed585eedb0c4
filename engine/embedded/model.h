// A model that is open: llama.cpp's objects, the KV store and the plan of its forwards.
#pragma once

#include "attention.h"
#include "bridge.h"
#include "ggml-cpp.h"
#include "ggml-cpu.h"
#include "llama-cpp.h"
#include "metadata.h"

#include <memory>
#include <string>
#include <vector>

struct threadpool_deleter {
    void operator()(ggml_threadpool * pool) { ggml_threadpool_free(pool); }
};

// The tokens of a forward as llama_decode takes them.
struct token_batch {
    std::vector<llama_token> tokens;
    std::vector<llama_pos> positions;
    std::vector<int32_t> sequence_counts;         // 1 each
    std::vector<llama_seq_id> sequences;          // the segment
    std::vector<llama_seq_id *> sequence_lists;   // each points to its place in sequences
    std::vector<int8_t> outputs;

    explicit token_batch(int capacity);
    llama_batch view(int count);
};

struct bridge_model {
    // In an order in which they may be destroyed from the last to the first. The context has one
    // pool for its life, of which a forward uses as many threads as it is told: ggml's backend
    // keeps a pointer to the pool of the last forward.
    llama_model_ptr model;
    llama_adapter_lora_ptr adapter;
    std::unique_ptr<ggml_threadpool, threadpool_deleter> pool;
    llama_context_ptr context;
    std::unique_ptr<paged::store> kv;
    paged::plan plan;
    token_batch batch;
    const llama_vocab * vocab = nullptr;

    bridge::metadata file;
    std::string name, architecture, file_type;
    std::string warnings;                 // of llama.cpp about the file
    int32_t bos = -1, eos = -1;
    std::vector<int32_t> output_rows;     // batch row of each segment with output
    std::vector<float> reference_logits;  // of ggml's own kernels, until ours are verified
    int queries_per_kv = 1;               // query heads of one KV head

    explicit bridge_model(int max_tokens) : batch(max_tokens) {}
    bridge_model(const bridge_model &) = delete;
    bridge_model & operator=(const bridge_model &) = delete;

    int max_tokens() const { return (int) batch.tokens.size(); }
    int context_length() const { return llama_model_n_ctx_train(model.get()); }

    // Runs the tokens of the plan's segments and throws unless that succeeds. llama.cpp's own
    // KV cache is a scratch that is emptied every time, so that token i stands in cell i.
    void decode(const int32_t * tokens, const std::vector<bool> & output);
    // Logits of the i-th segment with output.
    const float * logits(int i) const;
};
