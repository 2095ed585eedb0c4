#include "guard.h"

#include "hook.h"
#include "llama.h"

#include <mutex>

namespace bridge {

static thread_local guard * active = nullptr;

// What is kept of a log, whose lines may be as many as a vocabulary has tokens.
static constexpr size_t most_kept = 1 << 16;

// llama.cpp reports why it failed, and what it doubts, only through its log. A line without an
// end is ended.
static void collect(ggml_log_level level, const char * text, void *) {
    if (!active || (level != GGML_LOG_LEVEL_ERROR && level != GGML_LOG_LEVEL_WARN)) return;
    auto & kept = level == GGML_LOG_LEVEL_ERROR ? active->log : active->warnings;
    if (kept.size() < most_kept) kept += text;
    if (!kept.empty() && kept.back() != '\n') kept += '\n';
}

// ggml calls this before it ends the process. The exception crosses frames of C code, which
// has unwind tables by default on x86-64 and arm64, and nothing to clean up.
static void on_abort(const char * message) {
    if (active && active->threads == 1) throw std::runtime_error(message);
    std::fprintf(stderr, "sparkd: the embedded engine cannot go on: %s\n", message);
}

static void initialize() {
    static std::once_flag once;
    std::call_once(once, [] {
        llama_log_set(collect, nullptr);
        ggml_set_abort_callback(on_abort);
        llama_backend_init();
        paged::install_hook();
    });
}

guard::guard() {
    active = this;
    try {
        initialize();
    } catch (...) {
        active = nullptr;
        throw;
    }
}

guard::~guard() { active = nullptr; }

guard * guard::current() { return active; }

}  // namespace bridge
