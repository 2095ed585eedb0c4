// What llama.cpp and ggml throw or assert becomes the error of the call: a function of
// bridge.h does its work inside `guarded`.
#pragma once

#include "bridge.h"

#include <cstdio>
#include <new>
#include <stdexcept>
#include <string>

namespace bridge {

// Ends a call with a status.
struct failure : std::runtime_error {
    int status;
    failure(int s, const std::string & why) : std::runtime_error(why), status(s) {}
};

// While it lives, the errors and warnings that llama.cpp logs on this thread are kept, and a
// GGML_ASSERT that fails on this thread is thrown as a std::runtime_error. There is one per
// thread at most.
class guard {
  public:
    guard();
    ~guard();
    guard(const guard &) = delete;
    guard & operator=(const guard &) = delete;

    std::string log, warnings;
    // Threads that compute with this one, itself included. They would wait for it for ever if
    // it left by an exception, so an assertion ends the process while there are others.
    int threads = 1;

    static guard * current();  // of this thread, or null
};

inline int report(bridge_error * error, int status, const char * why) noexcept {
    std::snprintf(error->text, sizeof error->text, "%s", why);
    return status;
}

// Runs body(guard &) and returns BRIDGE_OK, or the status of what it threw: of a failure its
// own, of std::bad_alloc BRIDGE_MEMORY, of all else `otherwise`.
template <class Body> int guarded(bridge_error * error, int otherwise, Body body) noexcept {
    try {
        guard g;
        body(g);
        return BRIDGE_OK;
    } catch (const failure & f) {
        return report(error, f.status, f.what());
    } catch (const std::bad_alloc &) {
        return report(error, BRIDGE_MEMORY, "not enough memory");
    } catch (const std::exception & e) {
        return report(error, otherwise, e.what());
    } catch (...) {
        return report(error, otherwise, "an exception without a text");
    }
}

}  // namespace bridge
