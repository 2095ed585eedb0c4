#include "attention.h"

#include <new>

namespace paged {

// n halves. Pages of calloc that were never written cost no memory and read as zero.
static halves allocate(size_t n) {
    halves p((simd::half *) std::calloc(n, sizeof(simd::half)));
    if (!p) throw std::bad_alloc();
    return p;
}

size_t block_bytes(const std::vector<layer_shape> & shapes) {
    size_t n = 0;
    for (const auto & s : shapes) n += (s.key_size() + s.value_size()) * sizeof(simd::half);
    return n;
}

store::store(const std::vector<layer_shape> & shapes, int n) : blocks(n) {
    layers.reserve(shapes.size());
    for (const auto & s : shapes) layers.push_back({s, allocate(n * s.key_size()), allocate(n * s.value_size())});
}

}  // namespace paged
