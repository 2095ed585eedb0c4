// Paged tree attention: the KV store of the engine and the kernel that reads it.
//
// Keys and values live in blocks of 16 cells. A sequence is a path: a list of
// (block, n), the first n cells of each block, in order. Paths share blocks by naming
// them, so a fork copies nothing, and attention walks exactly the cells of its own path:
// its cost does not depend on what else the store holds.
//
// The kernel takes the place of GGML_OP_FLASH_ATTN_EXT in llama.cpp's graphs: every
// architecture whose layers attend causally over one plain KV cache works unchanged.
#pragma once

#include "ggml_internal.h"
#include "q8.h"
#include "simd.h"

#include <atomic>
#include <cstdlib>
#include <memory>
#include <vector>

namespace paged {

constexpr int BLOCK = 16;  // cells a block; blockTokens in backend.go

// Shape of one layer's attention.
struct layer_shape {
    int dk = 0, dv = 0;  // head sizes of keys and values
    int heads = 0;       // KV heads

    int padded_dv() const { return (dv + 15) / 16 * 16; }  // dv as the store pads it
    size_t key_size() const { return (size_t) heads * dk * BLOCK; }  // halves of a block
    size_t value_size() const { return (size_t) heads * padded_dv() * BLOCK; }
};

// Bytes of a block over all layers.
size_t block_bytes(const std::vector<layer_shape> & shapes);

struct free_deleter {
    void operator()(void * p) const { std::free(p); }
};
using halves = std::unique_ptr<simd::half[], free_deleter>;

// Store of one layer. Keys stand transposed in their block, [block][head][dk][16], so that
// 16 scores are computed side by side; values stand as they are, [block][head][16][dv].
struct layer_store {
    layer_shape shape;
    halves keys, values;

    simd::half * key(int block, int head) const {
        return keys.get() + ((size_t) block * shape.heads + head) * shape.dk * BLOCK;
    }
    simd::half * value(int block, int head) const {
        return values.get() + ((size_t) block * shape.heads + head) * shape.padded_dv() * BLOCK;
    }
};

struct store {
    int blocks;
    std::vector<layer_store> layers;

    store(const std::vector<layer_shape> & shapes, int blocks);
};

struct block_ref {
    int32_t block;
    int32_t n;
};

// One sequence of a forward: its path, new tokens included, and how many are new.
struct segment {
    const block_ref * path;
    int refs;
    int length;      // sum of n
    int first;       // row of its first new token in the batch
    int new_tokens;
};

// What the kernel needs to know of the forward under way.
struct plan {
    enum { recording, attending } mode = attending;

    store * kv = nullptr;
    std::vector<segment> segments;
    int rows = 0;
    q8::matrices matrices;

    // recording: the shapes seen, and the first feature that the kernel cannot do
    std::vector<layer_shape> shapes;
    const char * unsupported = nullptr;

    // attending: tiles of query rows, costliest first, and the next one to take per layer
    struct tile { int segment, first, rows; };
    std::vector<tile> tiles;
    std::unique_ptr<std::atomic<int>[]> next;
    std::atomic<int> attention_calls{0};
    std::atomic<bool> mismatch{false};
    std::atomic<bool> misread{false};  // an op reads rearranged weights in a way that is not known

    void make_tiles(int layers, int queries_per_kv);
};

// Notes the shape of an attention op in p, which records.
void record_attention(plan & p, const ggml_tensor * op);
// This thread's share of an attention op; p.mismatch tells that it cannot be computed.
void attend(plan & p, ggml_compute_params * cp, ggml_tensor * op);

}  // namespace paged
