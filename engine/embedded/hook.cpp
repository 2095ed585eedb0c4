#include "hook.h"

#include "guard.h"

#include <mutex>

namespace paged {

static std::mutex turn;
static plan * current = nullptr;  // guarded by turn; read by the threads of the running forward

forward_in_progress::forward_in_progress(plan * p) {
    turn.lock();
    current = p;
}

forward_in_progress::~forward_in_progress() {
    bridge::guard::current()->threads = 1;
    current = nullptr;
    turn.unlock();
}

namespace {
// Of a recording forward all ops come here, of others attention and what reads rearranged
// weights.
struct op_traits final : ggml::cpu::tensor_traits {
    // ggml asks on the thread that called it, before it computes with this many.
    bool work_size(int threads, const ggml_tensor * op, size_t & size) override {
        bridge::guard::current()->threads = threads;
        if (current->mode == plan::recording || op->op == GGML_OP_FLASH_ATTN_EXT) return false;
        size = current->matrices.work_size(op);
        return true;
    }

    bool compute_forward(ggml_compute_params * cp, ggml_tensor * op) override {
        plan & p = *current;
        const bool attention = op->op == GGML_OP_FLASH_ATTN_EXT;
        if (p.mode == plan::recording) {
            if (cp->ith == 0 && attention) record_attention(p, op);
            if (cp->ith == 0) p.matrices.observe(op);
            return false;  // ggml's own kernel goes on
        }
        if (attention) {
            attend(p, cp, op);
        } else if (!p.matrices.compute(cp, op)) {
            p.misread = true;  // the forward fails: nobody else can read these weights
        }
        return true;
    }
};

struct op_hook final : ggml::cpu::extra_buffer_type {
    op_traits traits;
    bool supports_op(ggml_backend_dev_t, const ggml_tensor *) override { return false; }
    ggml::cpu::tensor_traits * get_tensor_traits(const ggml_tensor * op) override {
        if (!current) return nullptr;
        const bool ours = current->mode == plan::recording || op->op == GGML_OP_FLASH_ATTN_EXT ||
                          current->matrices.read_by(op);
        return ours ? &traits : nullptr;
    }
};
}  // namespace

void install_hook() {
    // llama.cpp takes the list of buffer types for weights from here once; ours holds no
    // weights, so the list is taken before ours joins.
    auto * cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    auto take  = (ggml_backend_dev_get_extra_bufts_t) ggml_backend_reg_get_proc_address(
        ggml_backend_dev_backend_reg(cpu), "ggml_backend_dev_get_extra_bufts");
    if (take) take(cpu);
    static op_hook hook;
    static ggml_backend_buffer_type type = {};
    type.context = &hook;
    ggml_backend_cpu_get_extra_buffer_types().push_back(&type);
}

}  // namespace paged
