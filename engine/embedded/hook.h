// The place where ggml's CPU backend asks the engine whether it computes an op itself.
#pragma once

#include "attention.h"

namespace paged {

// install puts the hook into ggml's CPU backend, to be called once.
void install();

// While it lives, ops are computed as p says. Forwards of all models in the process take
// turns.
class running {
  public:
    explicit running(plan * p);
    ~running();
};

}  // namespace paged
