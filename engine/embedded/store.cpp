#include "attention.h"

#include <cstdlib>
#include <new>

namespace paged {

static simd::half * reserve(size_t n) {
    // calloc: pages that were never written cost no memory and read as zero.
    void * p = calloc(n, sizeof(simd::half));
    if (!p) throw std::bad_alloc();
    return (simd::half *) p;
}

size_t block_bytes(const std::vector<layer_shape> & shapes) {
    size_t n = 0;
    for (const auto & s : shapes) n += (s.key_size() + s.value_size()) * sizeof(simd::half);
    return n;
}

store::store(const std::vector<layer_shape> & shapes, int blocks) {
    layers.reserve(shapes.size());
    try {
        for (const auto & s : shapes) {
            layer_store l;
            l.shape = s;
            l.dvp   = s.dvp();
            layers.push_back(l);
            layers.back().k = reserve(blocks * s.key_size());
            layers.back().v = reserve(blocks * s.value_size());
        }
    } catch (...) {
        for (auto & l : layers) { free(l.k); free(l.v); }
        throw;
    }
}

store::~store() {
    for (auto & l : layers) { free(l.k); free(l.v); }
}

}  // namespace paged
