// The place where ggml's CPU backend asks the engine whether it computes an op itself.
#pragma once

#include "attention.h"

namespace paged {

// install_hook puts it into ggml's CPU backend, to be called once.
void install_hook();

// While it lives, ops are computed as p says. Forwards of all models in the process take
// turns.
class forward_in_progress {
  public:
    explicit forward_in_progress(plan * p);
    ~forward_in_progress();
    forward_in_progress(const forward_in_progress &) = delete;
    forward_in_progress & operator=(const forward_in_progress &) = delete;
};

}  // namespace paged
