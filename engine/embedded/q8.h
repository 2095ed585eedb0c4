// Matrix products of Q8_0 weights on CPUs with AVX-512 VNNI.
//
// ggml multiplies rows of Q8_0 as they stand in the file, 32 bytes at a time. Here sixteen rows
// stand side by side, so that one instruction (vpdpbusd) multiplies four columns of all
// of them, about twice as fast. The numbers are ggml's: activations are rounded to Q8_0 by
// ggml itself, products within a block are exact, and blocks are summed in F32 from the
// first to the last, whatever else is in the batch.
//
// Weights are rearranged where they lie, so only those are whose every use is known: the
// first forward shows them, and a later one that uses them otherwise fails.
#pragma once

#include "ggml_internal.h"

#include <unordered_map>
#include <unordered_set>

namespace q8 {

// Whether this CPU has the instructions.
bool supported();

class matrices {
  public:
    // Notes which Q8_0 weights op reads and how; op is one of the first forward.
    void observe(const ggml_tensor * op);
    // Rearranges the weights that were seen and that only compute below reads.
    void pack();

    int count() const { return (int) packed.size(); }
    // Whether op reads a rearranged weight.
    bool read_by(const ggml_tensor * op) const;
    // Computes op, which reads one; false if it cannot, and then nobody can.
    bool compute(ggml_compute_params * cp, ggml_tensor * op) const;
    // Bytes of cp->wdata that compute needs for op.
    size_t work_size(const ggml_tensor * op) const;

  private:
    std::unordered_map<ggml_tensor *, bool> seen;  // weight → all its uses are known
    std::unordered_set<const ggml_tensor *> packed;
};

}  // namespace q8
